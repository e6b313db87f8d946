import { type Call, type CallOutcome, type CallStatus, type Queue, QueueService } from "@trunkline/client";
import { useMemo, useState } from "react";
import { useWho } from "../../api/hooks";
import { usePaged } from "../../api/paged";
import { api } from "../../api/transport";
import { Bulk } from "../../calls/bulk";
import { callColumns } from "../../calls/columns";
import { Export } from "../../calls/export-choice";
import { useLiveRefetch } from "../../live/live";
import { useFilters } from "../../router";
import { t } from "../../text/en";
import { ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import controls from "../../ui/controls.module.css";
import { Empty } from "../../ui/empty";
import { count } from "../../ui/numbers";
import { Table } from "../../ui/table";
import { OUTCOMES, STATUSES } from "../queues/progress";
import css from "./queue.module.css";

/** Reads a number as someone types it. One with a leading 0 is a national number. */
export function readNumber(text: string): { contactNumber: bigint; contactNumberNational?: boolean } | undefined {
  const digits = text.replace(/[\s+\-./()]/g, "");
  if (!/^\d{1,18}$/.test(digits)) return undefined;
  const national = digits.startsWith("0") && !digits.startsWith("00") && !text.trim().startsWith("+");
  return { contactNumber: BigInt(digits), contactNumberNational: national || undefined };
}

/** The calls of a queue, with filters that are in the address, and what can be done to all that match. */
export function Calls({ queue }: { queue: Queue }) {
  const who = useWho();
  const [filters, setFilters] = useFilters();
  const [bulk, setBulk] = useState<"cancel" | "retry">();
  const status = (Number(filters.status ?? 0) || undefined) as CallStatus | undefined;
  const outcome = (Number(filters.outcome ?? 0) || undefined) as CallOutcome | undefined;
  const number = readNumber(filters.number ?? "");
  const filter = { status, outcome, ...number };
  const request = { masterQueueId: queue.queueId, ...filter };
  const calls = usePaged(QueueService.method.listQueueCalls, request, (answer) => answer, 100);
  useLiveRefetch(calls.refetch, 2_000, (event) => event.queueId === queue.queueId);
  const columns = useMemo(() => callColumns(), []);
  const filtered = status !== undefined || outcome !== undefined || number !== undefined;
  const clear = () => setFilters({ status: undefined, outcome: undefined, number: undefined });

  return (
    <>
      <div className={css.toolbar}>
        <div>
          <select
            className={controls.select}
            aria-label={t.queue.filterStatus}
            value={status ?? 0}
            onChange={(event) => setFilters({ status: event.target.value === "0" ? undefined : event.target.value })}
          >
            <option value={0}>
              {t.queue.filterStatus}: {t.queue.any}
            </option>
            {STATUSES.map((it) => (
              <option key={it} value={it}>
                {t.callStatus[it]}
              </option>
            ))}
          </select>
          <select
            className={controls.select}
            aria-label={t.queue.filterOutcome}
            value={outcome ?? 0}
            onChange={(event) => setFilters({ outcome: event.target.value === "0" ? undefined : event.target.value })}
          >
            <option value={0}>
              {t.queue.filterOutcome}: {t.queue.any}
            </option>
            {OUTCOMES.map((it) => (
              <option key={it} value={it}>
                {t.outcome[it]}
              </option>
            ))}
          </select>
          <input
            key={filters.number ?? ""}
            className={controls.input}
            type="search"
            aria-label={t.queue.filterNumber}
            placeholder={t.queue.numberPlaceholder}
            defaultValue={filters.number ?? ""}
            onKeyDown={(event) => event.key === "Enter" && setFilters({ number: event.currentTarget.value.trim() })}
            onBlur={(event) => setFilters({ number: event.target.value.trim() })}
          />
          {filtered && (
            <Button kind="ghost" onClick={clear}>
              {t.actions.clear}
            </Button>
          )}
        </div>
        <div>
          {who.writes && !queue.deletedAt && (
            <>
              <Button onClick={() => setBulk("retry")}>{t.queue.retryMatching}</Button>
              <Button onClick={() => setBulk("cancel")}>{t.queue.cancelMatching}</Button>
            </>
          )}
          <Export name={`queue-${queue.queueId}`} pages={() => queueCalls(queue.queueId, filter)} />
        </div>
      </div>
      <ErrorBanner error={calls.error} onRetry={calls.refetch} />
      <div className={css.frame}>
        <Table<Call>
          label={t.queue.calls}
          columns={columns}
          count={calls.count}
          row={calls.row}
          rowKey={(call) => call.callId}
          href={(call) => `/calls/${call.callId}`}
          onRange={calls.onRange}
          loading={calls.isPending}
          footer={<span>{t.queue.matching(count(calls.count))}</span>}
          empty={
            filtered ? (
              <Empty title={t.queue.noCalls} actions={<Button onClick={clear}>{t.actions.clear}</Button>}>
                {t.queue.noCallsText}
              </Empty>
            ) : (
              <Empty title={t.queue.noCallsYet}>{t.queue.noCallsYetText}</Empty>
            )
          }
        />
      </div>
      {bulk && (
        <Bulk
          kind={bulk}
          filter={{ queueId: queue.queueId, ...filter }}
          onClose={() => {
            setBulk(undefined);
            void calls.refetch();
          }}
        />
      )}
    </>
  );
}

/** All calls of a queue that pass a filter, page by page. */
async function* queueCalls(queueId: bigint, filter: object) {
  const pageSize = 1000;
  for (let page = 1; ; page++) {
    const { results } = await api.queues.listQueueCalls({ masterQueueId: queueId, ...filter, page, pageSize });
    if (results.length > 0) yield results;
    if (results.length < pageSize) return;
  }
}
