import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@connectrpc/connect-query";
import { type Queue, QueueService, QueueStatus, type WaitingCalls, WaitReason } from "@trunkline/client";
import { useState } from "react";
import { Link } from "wouter";
import { useWho } from "../../api/hooks";
import { useLiveRefetch } from "../../live/live";
import { t } from "../../text/en";
import { ErrorBanner } from "../../ui/banner";
import { StackedBar } from "../../ui/bar";
import { Button } from "../../ui/button";
import { classes } from "../../ui/classes";
import tones from "../../ui/controls.module.css";
import { count } from "../../ui/numbers";
import { Card } from "../../ui/page";
import type { Tone } from "../../ui/status";
import { ago, useNow } from "../../ui/time";
import { setStatus } from "../queues/actions";
import css from "./queue.module.css";

/** What is wrong is red, what waits for its time is amber, and what only takes its turn is calm. */
const TONES: Partial<Record<WaitReason, Tone>> = {
  [WaitReason.READY]: "Good",
  [WaitReason.NOT_READ_YET]: "Good",
  [WaitReason.KILL_SWITCH]: "Bad",
  [WaitReason.CLIENT_DISABLED]: "Bad",
  [WaitReason.NOT_GRANTED]: "Bad",
  [WaitReason.SERVER_UNOWNED]: "Bad",
  [WaitReason.SERVER_OFFLINE]: "Bad",
  [WaitReason.NEW_DESTINATIONS]: "Bad",
  [WaitReason.QUEUE_PAUSED]: "Warn",
  [WaitReason.QUEUE_COMPLETED]: "Warn",
  [WaitReason.QUEUE_ENDED]: "Warn",
  [WaitReason.OUTSIDE_WINDOW]: "Violet",
  [WaitReason.RETRY_LATER]: "Violet",
  [WaitReason.SCHEDULED]: "Violet",
  [WaitReason.QUEUE_NOT_STARTED]: "Violet",
  [WaitReason.BACKING_OFF]: "Orange",
  [WaitReason.CHANNEL_ID_BUSY]: "Brown",
  [WaitReason.DESTINATION_LIMIT]: "Brown",
};

/** Where the setting is that holds calls back, as a path or as the tab and field of this page. */
function place(reason: WaitingCalls, queue: Queue): { href: string; admin: boolean } | undefined {
  const rules = (field: string) => ({ href: `/queues/${queue.queueId}?tab=rules&field=${field}`, admin: false });
  const server = (search = "") => ({
    href: `/admin/servers/${encodeURIComponent(reason.asteriskServerCode ?? "")}${search}`,
    admin: true,
  });
  // The text names the trunk.
  const trunk = (field: string) => server(`?${new URLSearchParams({ because: reason.text, field })}`);
  const client = (search = "") => ({ href: `/admin/clients/${queue.clientId ?? ""}${search}`, admin: true });
  const limit = (field: string) => client(`?tab=limits&field=${field}`);
  switch (reason.reason) {
    case WaitReason.QUEUE_LIVE_CALLS:
      return rules("max_live_calls");
    case WaitReason.QUEUE_PACE:
      return rules("calls_per_second");
    case WaitReason.OUTSIDE_WINDOW:
      return rules("windows");
    case WaitReason.RETRY_LATER:
      return rules("retry_gap");
    case WaitReason.SERVER_CHANNELS:
      return server("?field=max_channels");
    case WaitReason.TRUNK_CHANNELS:
      return trunk("max_channels");
    case WaitReason.TRUNK_PACE:
      return trunk("calls_per_second");
    case WaitReason.BACKING_OFF:
    case WaitReason.SERVER_OFFLINE:
      return server();
    case WaitReason.SERVER_UNOWNED:
      return { href: "/admin/nodes", admin: true };
    case WaitReason.CLIENT_DISABLED:
      return client();
    case WaitReason.NOT_GRANTED:
    case WaitReason.GRANT_LIVE_CALLS:
    case WaitReason.GRANT_PACE:
      return client("?tab=grants");
    case WaitReason.CLIENT_LIVE_CALLS:
      return limit("max_live_calls");
    case WaitReason.CLIENT_PACE:
      return limit("calls_per_second");
    case WaitReason.DESTINATION_LIMIT:
      return limit("max_calls_per_destination_per_day");
    case WaitReason.CLIENT_CALLS_PER_DAY:
      return limit("max_calls_per_day");
    case WaitReason.CLIENT_MINUTES_PER_DAY:
      return limit("max_minutes_per_day");
    case WaitReason.NEW_DESTINATIONS:
      return limit("brake_new_destination_calls");
    case WaitReason.SCHEDULED:
      return { href: `/queues/${queue.queueId}?tab=calls&status=1`, admin: false };
    default:
      return undefined;
  }
}

/** Why the calls of a queue wait: a bar of the reasons in plain words, each with the setting that holds it. */
export function Why({ queue, onChange }: { queue: Queue; onChange: () => void }) {
  const { data, error, refetch } = useQuery(
    QueueService.method.explainQueue,
    { queueId: queue.queueId },
    { refetchInterval: 3_000 },
  );
  useLiveRefetch(refetch, 1_500, (event) => event.queueId === queue.queueId);
  const [failure, setFailure] = useState<unknown>();
  const reasons = data?.reasons ?? [];
  const waiting = Number(data?.waiting ?? 0n);
  const dials = reasons.every((it) => TONES[it.reason] === "Good");
  const parts = reasons.map((it, n) => ({
    id: `${n}`,
    label: t.reasons[it.reason] ?? it.text,
    count: it.calls,
    tone: TONES[it.reason] ?? ("Info" as const),
  }));
  return (
    <Card title={dials ? t.queue.whyReady : t.queue.why} aside={data && t.queue.whyLive(count(data.live))}>
      <ErrorBanner error={error} onRetry={() => refetch()} />
      <ErrorBanner error={failure} onDismiss={() => setFailure(undefined)} />
      {data && waiting === 0 && <p className={css.quiet}>{t.queue.whyNone}</p>}
      {waiting > 0 && (
        <>
          <StackedBar label={t.queue.why} parts={parts} />
          <ul className={css.reasons}>
            {reasons.map((it, n) => (
              <Reason
                key={`${it.reason} ${it.asteriskServerCode} ${n}`}
                reason={it}
                queue={queue}
                onChange={onChange}
                onFail={setFailure}
              />
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

function Reason(props: { reason: WaitingCalls; queue: Queue; onChange: () => void; onFail: (error: unknown) => void }) {
  const { reason, queue, onChange, onFail } = props;
  const who = useWho();
  const now = useNow(1000);
  const link = place(reason, queue);
  const resumes = reason.reason === WaitReason.QUEUE_PAUSED || reason.reason === WaitReason.QUEUE_COMPLETED;
  return (
    <li className={css.reason}>
      <strong className={css.reasonCount}>{count(reason.calls)}</strong>
      <div>
        <span className={classes(tones.badge, tones[`tone${TONES[reason.reason] ?? "Info"}`])}>
          {t.reasons[reason.reason] ?? reason.text}
        </span>
        <p className={css.reasonText}>
          {reason.text}
          {reason.until && ` · ${t.queue.until} ${ago(timestampMs(reason.until), now)}`}
        </p>
      </div>
      {resumes && who.writes && (
        <Button small onClick={() => setStatus(queue, QueueStatus.IN_PROGRESS).then(onChange, onFail)}>
          {t.queues.resume}
        </Button>
      )}
      {link && (!link.admin || who.admin) && (
        <Link to={link.href} className={css.change} aria-label={`${t.queue.change}: ${t.reasons[reason.reason]}`}>
          {t.queue.change}
        </Link>
      )}
    </li>
  );
}
