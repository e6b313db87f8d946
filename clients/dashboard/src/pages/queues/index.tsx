import { CallEventType, type Queue, QueueKind, QueueService, QueueStatus, StatisticsBy } from "@trunkline/client";
import { Pause, Play } from "lucide-react";
import { useState } from "react";
import { useClientName, useScope, useWho } from "../../api/hooks";
import { usePaged } from "../../api/paged";
import { everyStep, useStatistics } from "../../api/statistics";
import { useLiveRefetch } from "../../live/live";
import { useFilters } from "../../router";
import { t } from "../../text/en";
import { ErrorBanner } from "../../ui/banner";
import { StackedBar } from "../../ui/bar";
import { Button, LinkButton } from "../../ui/button";
import controls from "../../ui/controls.module.css";
import { Empty } from "../../ui/empty";
import { compact, count } from "../../ui/numbers";
import { Page } from "../../ui/page";
import { Segments } from "../../ui/segments";
import { Sparkline } from "../../ui/sparkline";
import { QueueStatusBadge } from "../../ui/status";
import { type Column, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { setStatus } from "./actions";
import { progress, queueName, sums } from "./progress";
import css from "./queues.module.css";

const PAGE = 50;
const KINDS = { bulk: QueueKind.BULK, quick: QueueKind.QUICK, all: undefined } as const;
type Kind = keyof typeof KINDS;

/** All queues, newest first, with how far each is. */
export default function Queues() {
  const who = useWho();
  const scope = useScope();
  const clientName = useClientName();
  const [filters, setFilters] = useFilters();
  const [failure, setFailure] = useState<unknown>();
  const kind: Kind = filters.kind === "quick" || filters.kind === "all" ? filters.kind : "bulk";
  const status = Number(filters.status ?? 0);
  const request = {
    ...scope,
    kind: KINDS[kind],
    queueStatus: status || undefined,
    label: filters.label || undefined,
  };

  const queues = usePaged(QueueService.method.listQueues, request, (answer) => answer, PAGE, {
    refetchInterval: 20_000,
  });
  const { refetch } = queues;
  // Notes and recordings change no counts.
  useLiveRefetch(refetch, 2_000, ({ type }) => type !== CallEventType.NOTE && type !== CallEventType.BRIDGED);
  const activity = useStatistics({ period: "hour", by: StatisticsBy.QUEUE, steps: true });

  const change = async (queue: Queue, to: QueueStatus) => {
    try {
      await setStatus(queue, to);
      setFailure(undefined);
    } catch (error) {
      setFailure(error);
    }
    await refetch();
  };

  const spark = (queue: Queue) => {
    const id = queue.kind === QueueKind.QUICK ? 0n : queue.queueId;
    const series = activity.data?.series.find((it) => it.queueId === id);
    const { points } = everyStep(series, activity.from + 1800, activity.from + 3600, 60);
    const values = points.map((it) => Number(it?.attempts ?? 0n));
    const sum = values.reduce((a, b) => a + b, 0);
    return sum === 0 ? null : <Sparkline values={values} label={t.queues.activityLabel(count(sum))} />;
  };

  const columns: Column<Queue>[] = [
    { id: "name", title: t.queues.name, width: "minmax(84px, 1.6fr)", cell: queueName },
    {
      id: "status",
      title: t.queues.status,
      width: "96px",
      cell: (it) => <QueueStatusBadge status={it.queueStatus} />,
    },
    {
      id: "progress",
      title: t.queues.progress,
      width: "minmax(70px, 2fr)",
      cell: (queue) => {
        const { all, ended } = sums(queue.counts);
        return (
          <div className={css.progress}>
            <StackedBar thin label={t.queues.progress} parts={progress(queue.counts)} />
            <span className={css.progressText}>{t.queues.ended(compact(ended), compact(all), "0")}</span>
          </div>
        );
      },
    },
    {
      id: "waiting",
      title: t.queues.waiting,
      width: "70px",
      align: "end",
      wide: true,
      cell: (it) => compact(sums(it.counts).waiting),
    },
    {
      id: "live",
      title: t.queues.live,
      width: "48px",
      align: "end",
      wide: true,
      cell: (it) => compact(sums(it.counts).live),
    },
    {
      id: "answered",
      title: t.queues.answered,
      width: "74px",
      align: "end",
      wide: true,
      cell: (it) => compact(it.counts?.completed ?? 0n),
    },
    {
      id: "failed",
      title: t.queues.failed,
      width: "60px",
      align: "end",
      wide: true,
      cell: (it) => compact(it.counts?.failed ?? 0n),
    },
    { id: "activity", title: t.queues.activity, width: "100px", wide: true, cell: spark },
    ...(who.admin && scope.clientId === undefined
      ? [
          {
            id: "client",
            title: t.queues.client,
            width: "minmax(80px, 1fr)",
            wide: true,
            cell: (it: Queue) => clientName(it.clientId),
          },
        ]
      : []),
    {
      id: "created",
      title: t.queues.created,
      width: "96px",
      wide: true,
      cell: (it) => <Time at={it.createdAt} relative />,
    },
    ...(who.writes
      ? [
          {
            id: "actions",
            title: "",
            label: t.queues.actions,
            width: "34px",
            align: "end" as const,
            cell: (queue: Queue) => <Toggle queue={queue} onChange={change} />,
          },
        ]
      : []),
  ];
  const filtered = status !== 0 || !!filters.label || kind !== "all";

  return (
    <Page
      fill
      title={t.nav.queues}
      subtitle={!queues.isPending && t.queues.count(count(queues.count))}
      actions={who.writes && <LinkButton to="/import">{t.queues.import}</LinkButton>}
    >
      <div className={css.filters}>
        <Segments
          label={t.queues.kind}
          value={kind}
          options={t.queues.kinds}
          onChange={(value) => setFilters({ kind: value === "bulk" ? undefined : value })}
        />
        <select
          className={controls.select}
          aria-label={t.queues.status}
          value={status}
          onChange={(event) => setFilters({ status: event.target.value === "0" ? undefined : event.target.value })}
        >
          <option value={0}>{t.queues.anyStatus}</option>
          {[QueueStatus.IN_PROGRESS, QueueStatus.PAUSED, QueueStatus.COMPLETED].map((it) => (
            <option key={it} value={it}>
              {t.queueStatus[it]}
            </option>
          ))}
        </select>
        <input
          className={controls.input}
          type="search"
          aria-label={t.queues.label}
          placeholder={t.queues.labelPlaceholder}
          defaultValue={filters.label ?? ""}
          onKeyDown={(event) => event.key === "Enter" && setFilters({ label: event.currentTarget.value.trim() })}
          onBlur={(event) => setFilters({ label: event.target.value.trim() })}
        />
      </div>
      <ErrorBanner error={failure} onDismiss={() => setFailure(undefined)} />
      <ErrorBanner error={queues.error} onRetry={refetch} />
      <div className={css.frame}>
        <Table
          label={t.nav.queues}
          columns={columns}
          count={queues.count}
          row={queues.row}
          rowKey={(queue) => `${queue.queueId}`}
          href={(queue) => `/queues/${queue.queueId}`}
          onRange={queues.onRange}
          loading={queues.isPending}
          empty={
            status !== 0 || filters.label ? (
              <Empty
                title={t.queues.noneMatch}
                actions={<Button onClick={() => setFilters({ status: "", label: "" })}>{t.actions.clear}</Button>}
              >
                {t.queues.noneMatchText}
              </Empty>
            ) : (
              <Empty
                title={t.queues.empty}
                actions={who.writes && filtered && <LinkButton to="/import">{t.queues.import}</LinkButton>}
              >
                {t.queues.emptyText}
              </Empty>
            )
          }
        />
      </div>
    </Page>
  );
}

/** Pauses a queue that is dialed, and resumes one that is not. */
function Toggle({ queue, onChange }: { queue: Queue; onChange: (queue: Queue, to: QueueStatus) => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const dials = queue.queueStatus === QueueStatus.IN_PROGRESS;
  if (queue.queueStatus === QueueStatus.COMPLETED && sums(queue.counts).waiting === 0n) return null;
  const to = dials ? QueueStatus.PAUSED : QueueStatus.IN_PROGRESS;
  const label = `${dials ? t.queues.pause : t.queues.resume}: ${queueName(queue)}`;
  return (
    <Button
      kind="ghost"
      small
      icon
      aria-label={label}
      title={label}
      disabled={busy}
      onClick={async () => {
        setBusy(true);
        await onChange(queue, to);
        setBusy(false);
      }}
    >
      {dials ? <Pause size={14} aria-hidden /> : <Play size={14} aria-hidden />}
    </Button>
  );
}
