import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { type CallStatus, type Queue, QueueService, QueueStatus } from "@trunkline/client";
import { useState } from "react";
import { useClientName, useWho } from "../../api/hooks";
import { useLiveRefetch } from "../../live/live";
import { useFilters } from "../../router";
import { t } from "../../text/en";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Legend, StackedBar } from "../../ui/bar";
import { Button, LinkButton } from "../../ui/button";
import { Empty } from "../../ui/empty";
import { count } from "../../ui/numbers";
import { Card, Page } from "../../ui/page";
import { Segments } from "../../ui/segments";
import { QueueStatusBadge } from "../../ui/status";
import { Time } from "../../ui/time";
import { setStatus } from "../queues/actions";
import { progress, queueName, sums } from "../queues/progress";
import { QueueActivity } from "./activity";
import { Calls } from "./calls";
import { CancelQueue, CompleteQueue, DeleteQueue } from "./dialogs";
import { Failures } from "./failures";
import css from "./queue.module.css";
import { Rules } from "./rules";
import { Why } from "./why";

type Tab = "now" | "calls" | "rules";

/** A queue: how far it is, why it does not dial, its calls and its rules. */
export default function QueuePage({ params }: { params: Record<string, string> }) {
  const queueId = /^\d{1,18}$/.test(params.queueId ?? "") ? BigInt(params.queueId ?? "0") : 0n;
  const { data, error, refetch } = useQuery(QueueService.method.getQueue, { queueId }, { refetchInterval: 15_000 });
  useLiveRefetch(refetch, 1_000, (event) => event.queueId === queueId);
  const queue = data?.queue;
  if (error && !queue) {
    const code = ConnectError.from(error).code;
    return (
      <Page title={`${t.nav.queue} ${params.queueId}`}>
        {code === Code.NotFound || code === Code.InvalidArgument ? (
          <Empty title={t.queue.missing} actions={<LinkButton to="/queues">{t.queue.back}</LinkButton>} />
        ) : (
          <ErrorBanner error={error} onRetry={() => refetch()} />
        )}
      </Page>
    );
  }
  return queue ? <Loaded queue={queue} error={error} refetch={() => refetch()} /> : null;
}

function Loaded({ queue, error, refetch }: { queue: Queue; error: unknown; refetch: () => void }) {
  const [filters, setFilters] = useFilters();
  const clientName = useClientName();
  const tab: Tab = filters.tab === "calls" || filters.tab === "rules" ? filters.tab : "now";
  const link = (status: CallStatus) => `/queues/${queue.queueId}?tab=calls&status=${status}`;
  const parts = progress(queue.counts, link);
  const labels = Object.entries(queue.labels);
  return (
    <Page
      fill={tab === "calls"}
      title={queueName(queue)}
      subtitle={
        <>
          <QueueStatusBadge status={queue.queueStatus} />
          {queue.name && <span>#{`${queue.queueId}`}</span>}
          {queue.clientId !== undefined && (
            <span>
              {t.queue.ofClient} {clientName(queue.clientId)}
            </span>
          )}
          <span>
            {t.queue.created} <Time at={queue.createdAt} relative />
          </span>
          {queue.startAt && (
            <span>
              {t.queue.start} <Time at={queue.startAt} />
            </span>
          )}
          {queue.endAt && (
            <span>
              {t.queue.end} <Time at={queue.endAt} />
            </span>
          )}
          {labels.length > 0 && (
            <span className={css.labels}>
              {labels.map(([key, value]) => (
                <span key={key} className={css.label}>
                  {key}:{value}
                </span>
              ))}
            </span>
          )}
        </>
      }
      actions={<Actions queue={queue} refetch={refetch} />}
    >
      {queue.deletedAt && <Banner tone="note">{t.queue.deleted}</Banner>}
      <ErrorBanner error={error} onRetry={refetch} />
      <Card label={t.queue.progress}>
        <div className={css.progress}>
          <StackedBar label={t.queue.progress} parts={parts} />
          <Legend parts={parts} />
        </div>
      </Card>
      <div>
        <Segments
          label={t.nav.queue}
          value={tab}
          options={{
            now: t.queue.tabs.now,
            calls: `${t.queue.calls} ${count(sums(queue.counts).all)}`,
            rules: t.rules.title,
          }}
          onChange={(value) =>
            setFilters({
              tab: value === "now" ? undefined : value,
              field: undefined,
              status: undefined,
              outcome: undefined,
              number: undefined,
            })
          }
        />
      </div>
      {tab === "now" && (
        <div className={css.columns}>
          <div className={css.column}>
            <Why queue={queue} onChange={refetch} />
            <QueueActivity queue={queue} />
          </div>
          <Failures queue={queue} />
        </div>
      )}
      {tab === "calls" && <Calls queue={queue} />}
      {tab === "rules" && <Rules queue={queue} onChange={refetch} />}
    </Page>
  );
}

function Actions({ queue, refetch }: { queue: Queue; refetch: () => void }) {
  const who = useWho();
  const [open, setOpen] = useState<"complete" | "cancel" | "delete">();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  if (!who.writes) return null;
  // What was refused stays in sight, also if there is nothing left to do.
  const refused = error !== undefined && <ErrorBanner error={error} onDismiss={() => setError(undefined)} />;
  if (queue.deletedAt) return refused;
  const { waiting, live } = sums(queue.counts);
  const close = () => {
    setOpen(undefined);
    refetch();
  };
  const change = async (to: QueueStatus) => {
    setBusy(true);
    try {
      await setStatus(queue, to);
      setError(undefined);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
    refetch();
  };
  const dials = queue.queueStatus === QueueStatus.IN_PROGRESS;
  return (
    <>
      {dials ? (
        <Button disabled={busy} onClick={() => change(QueueStatus.PAUSED)}>
          {t.queues.pause}
        </Button>
      ) : (
        (queue.queueStatus === QueueStatus.PAUSED || waiting > 0n) && (
          <Button kind="primary" disabled={busy} onClick={() => change(QueueStatus.IN_PROGRESS)}>
            {t.queues.resume}
          </Button>
        )
      )}
      {queue.queueStatus !== QueueStatus.COMPLETED && (
        <Button onClick={() => setOpen("complete")}>{t.queues.complete}</Button>
      )}
      {waiting > 0n && <Button onClick={() => setOpen("cancel")}>{t.queue.cancel}</Button>}
      {waiting === 0n && live === 0n && <Button onClick={() => setOpen("delete")}>{t.queue.delete}</Button>}
      {refused}
      {open === "complete" && <CompleteQueue queue={queue} onClose={close} />}
      {open === "cancel" && <CancelQueue queue={queue} onClose={close} />}
      {open === "delete" && <DeleteQueue queue={queue} onClose={close} />}
    </>
  );
}
