import type { MessageInitShape } from "@bufbuild/protobuf";
import { useInfiniteQuery, useQuery } from "@connectrpc/connect-query";
import { type Call, CallService, type ListCallsRequestSchema, QueueService } from "@trunkline/client";
import { Search } from "lucide-react";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { Link } from "wouter";
import { useClientName, useScope, useWho } from "../../api/hooks";
import { api } from "../../api/transport";
import { Bulk } from "../../calls/bulk";
import { callColumns } from "../../calls/columns";
import { Export } from "../../calls/export-choice";
import { readTime } from "../../forms/when";
import { navigate, useFilters } from "../../router";
import { t } from "../../text/en";
import { ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import controls from "../../ui/controls.module.css";
import { Empty } from "../../ui/empty";
import { Card, Page } from "../../ui/page";
import { type Column, Table } from "../../ui/table";
import { Time, useZone } from "../../ui/time";
import { queueName } from "../queues/progress";
import { Filters } from "./filters";
import css from "./find.module.css";
import { type Guess, guesses, UUID } from "./guess";

/** One box for numbers, ids and labels, over all queues. */
export default function Find() {
  const [filters] = useFilters();
  const query = (filters.q ?? "").trim();
  // A whole id names one call.
  useEffect(() => {
    if (UUID.test(query)) navigate(`/calls/${query.toLowerCase()}`, { replace: true });
  }, [query]);
  const further = useFurther();
  const found = guesses(query);
  const [empty, setEmpty] = useState<Record<string, boolean>>({});
  const nothing = query !== "" && found.length > 0 && found.every((it) => empty[`${it.kind} ${query}`]);

  return (
    <Page title={t.findPage.title}>
      <Box query={query} />
      <Filters />
      {query === "" && Object.keys(further).length === 0 ? (
        <Empty icon={Search} title={t.findPage.intro}>
          {t.findPage.introText}
        </Empty>
      ) : query === "" ? (
        <Results title={t.findPage.groups.filters} request={further} onEmpty={() => undefined} always />
      ) : (
        <>
          {/^\d{1,12}$/.test(query) && <QueueById queueId={BigInt(query)} />}
          {found.some((it) => it.kind === "label") && <QueuesByLabel label={query} />}
          {found.map((it) => (
            <Results
              key={`${it.kind} ${query}`}
              title={t.findPage.groups[it.kind](query)}
              request={{ ...further, ...it.request }}
              onEmpty={(is) => setEmpty((before) => ({ ...before, [`${it.kind} ${query}`]: is }))}
            />
          ))}
          {nothing && <Empty title={t.findPage.none(query)}>{t.findPage.noneText}</Empty>}
        </>
      )}
    </Page>
  );
}

/** The filters of the address, for the request. */
function useFurther(): Guess["request"] {
  const [filters] = useFilters();
  const zone = useZone();
  const request: Guess["request"] = {};
  const number = (name: string) => Number(filters[name] ?? 0) || undefined;
  if (number("status")) request.status = number("status");
  if (number("outcome")) request.outcome = number("outcome");
  if (filters.server) request.asteriskServerCode = filters.server;
  if (filters.from) request.createdFrom = readTime(filters.from, zone);
  if (filters.to) request.createdTo = readTime(filters.to, zone);
  return request;
}

function Box({ query }: { query: string }) {
  const [filters, setFilters] = useFilters();
  const input = useRef<HTMLInputElement>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setFilters({ ...filters, q: input.current?.value.trim() });
  };
  return (
    <form className={css.box} onSubmit={submit}>
      <input
        key={query}
        ref={input}
        className={controls.input}
        type="search"
        aria-label={t.findPage.box}
        placeholder={t.findPage.placeholder}
        defaultValue={query}
      />
      <Button kind="primary" type="submit">
        {t.findPage.submit}
      </Button>
    </form>
  );
}

/** The calls that one reading of the text finds. Draws nothing if there are none. */
function Results(props: {
  title: string;
  request: Omit<MessageInitShape<typeof ListCallsRequestSchema>, "$typeName">;
  onEmpty: (empty: boolean) => void;
  always?: boolean;
}) {
  const scope = useScope();
  const who = useWho();
  const clientName = useClientName();
  const { data, error, fetchNextPage, hasNextPage, isFetchingNextPage, isPending, refetch } = useInfiniteQuery(
    CallService.method.listCalls,
    { ...scope, ...props.request, pageSize: 100, pageToken: undefined as unknown as string },
    {
      pageParamKey: "pageToken",
      getNextPageParam: (page) => page.nextPageToken,
    },
  );
  const calls = useMemo(() => data?.pages.flatMap((page) => page.results) ?? [], [data]);
  const empty = !isPending && !error && calls.length === 0 && !hasNextPage;
  const { onEmpty } = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only the result matters.
  useEffect(() => onEmpty(empty), [empty]);
  const showClient = who.admin && scope.clientId === undefined;
  const columns = useMemo(
    () =>
      callColumns([
        {
          id: "queue",
          title: t.findPage.queueColumn,
          width: "64px",
          align: "end",
          wide: true,
          cell: (call) => <Link to={`/queues/${call.queueId}`}>{`${call.queueId}`}</Link>,
        },
        ...(showClient
          ? [
              {
                id: "client",
                title: t.livePage.client,
                width: "minmax(70px, 110px)",
                wide: true,
                cell: (call) => clientName(call.clientId),
              } satisfies Column<Call>,
            ]
          : []),
        {
          id: "created",
          title: t.findPage.created,
          width: "96px",
          wide: true,
          cell: (call) => <Time at={call.createdAt} relative />,
        },
      ]),
    [showClient, clientName],
  );
  if (empty && !props.always) return null;
  const found = { ...scope, ...props.request };
  return (
    <Card flush title={props.title} aside={calls.length > 0 && <Matching request={found} onDone={() => refetch()} />}>
      <ErrorBanner error={error} onRetry={() => refetch()} />
      {!error && (
        <Table
          label={props.title}
          columns={columns}
          count={calls.length}
          row={(n) => calls[n]}
          rowKey={(call) => call.callId}
          href={(call) => `/calls/${call.callId}`}
          loading={isPending}
          maxRows={18}
          empty={<Empty title={t.queue.noCalls}>{hasNextPage ? t.findPage.older : t.queue.noCallsText}</Empty>}
          footer={
            hasNextPage && (
              <Button small disabled={isFetchingNextPage} onClick={() => fetchNextPage()}>
                {isFetchingNextPage ? t.actions.working : t.findPage.more}
              </Button>
            )
          }
        />
      )}
    </Card>
  );
}

/** What can be done to all calls that a search finds, also to those that are not loaded yet. */
function Matching({
  request,
  onDone,
}: {
  request: Omit<MessageInitShape<typeof ListCallsRequestSchema>, "$typeName">;
  onDone: () => void;
}) {
  const who = useWho();
  const [bulk, setBulk] = useState<"cancel" | "retry">();
  // The fields of a filter are those of the search.
  const { clientId, pageSize: _, pageToken: __, ...filter } = request;
  return (
    <>
      {who.writes && (
        <>
          <Button small onClick={() => setBulk("retry")}>
            {t.queue.retryMatching}
          </Button>
          <Button small onClick={() => setBulk("cancel")}>
            {t.queue.cancelMatching}
          </Button>
        </>
      )}
      <Export name="calls" pages={() => foundCalls(request)} />
      {bulk && (
        <Bulk
          kind={bulk}
          filter={filter}
          clientId={clientId}
          onClose={() => {
            setBulk(undefined);
            onDone();
          }}
        />
      )}
    </>
  );
}

/** All calls that a search finds, page by page. */
async function* foundCalls(request: Omit<MessageInitShape<typeof ListCallsRequestSchema>, "$typeName">) {
  let pageToken: string | undefined;
  do {
    const page = await api.calls.listCalls({ ...request, pageSize: 1000, pageToken });
    if (page.results.length > 0) yield page.results;
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}

function QueueById({ queueId }: { queueId: bigint }) {
  const { data } = useQuery(QueueService.method.getQueue, { queueId }, { retry: false });
  if (!data?.queue) return null;
  return (
    <p>
      <Link to={`/queues/${queueId}`}>
        {t.findPage.queue(`${queueId}`)}
        {data.queue.name && `: ${data.queue.name}`}
      </Link>
    </p>
  );
}

function QueuesByLabel({ label }: { label: string }) {
  const scope = useScope();
  const { data } = useQuery(QueueService.method.listQueues, { ...scope, label, pageSize: 20 }, { retry: false });
  if (!data || data.results.length === 0) return null;
  return (
    <Card title={t.findPage.queueLabel(label)}>
      <ul>
        {data.results.map((queue) => (
          <li key={`${queue.queueId}`}>
            <Link to={`/queues/${queue.queueId}`}>{queueName(queue)}</Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
