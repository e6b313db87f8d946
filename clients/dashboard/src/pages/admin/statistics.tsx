import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { CallService, StatisticsBy, type StatisticsPoint, type StatisticsSeries } from "@trunkline/client";
import { ChartNoAxesColumn, Download } from "lucide-react";
import { useId, useMemo } from "react";
import { useClientName, useScope, useWho } from "../../api/hooks";
import { everyStep } from "../../api/statistics";
import { Chart } from "../../chart/chart";
import { useFilter, useFilters } from "../../router";
import { t } from "../../text/en";
import { platform } from "../../text/en/platform";
import { ErrorBanner } from "../../ui/banner";
import { StackedBar } from "../../ui/bar";
import { Button } from "../../ui/button";
import controls from "../../ui/controls.module.css";
import { download } from "../../ui/download";
import { Empty } from "../../ui/empty";
import { count, percent } from "../../ui/numbers";
import { Card, Page } from "../../ui/page";
import { Plain } from "../../ui/plain-table";
import { Segments } from "../../ui/segments";
import { useNow } from "../../ui/time";
import css from "./admin.module.css";
import own from "./statistics.module.css";

const s = platform.statistics;
/** The lengths of the periods and of the steps of their charts, in seconds. */
const PERIODS = {
  hour: { seconds: 3600, step: 60 },
  day: { seconds: 86_400, step: 1_800 },
  week: { seconds: 7 * 86_400, step: 4 * 3600 },
  month: { seconds: 30 * 86_400, step: 12 * 3600 },
} as const;
/** The colours of the lines of a chart: as many as can be told from each other. */
const LINES = ["Accent", "Good", "Orange", "Violet", "Info"] as const;
const BYS = {
  trunk: StatisticsBy.TRUNK,
  server: StatisticsBy.SERVER,
  outcome: StatisticsBy.OUTCOME,
  cause: StatisticsBy.HANGUP_CAUSE,
  project: StatisticsBy.PROJECT,
  queue: StatisticsBy.QUEUE,
  client: StatisticsBy.CLIENT,
} as const;
type Period = keyof typeof PERIODS;
type By = keyof typeof BYS;

/** What became of calls, by trunk or by what else they have in common. */
export default function Statistics() {
  const [by] = useFilter("by");
  // The series of one kind must not be shown as those of another while these are loaded.
  return <StatisticsPage key={by} />;
}

/** Returns the attempts of a step: those that ended if they are grouped by their end, and otherwise those that began. */
function attemptsOf(point: StatisticsPoint | undefined, by: By): bigint {
  return (by === "outcome" || by === "cause" ? point?.endedAttempts : point?.attempts) ?? 0n;
}

function StatisticsPage() {
  const id = useId();
  const who = useWho();
  const scope = useScope();
  const clientName = useClientName();
  const [filters, setFilters] = useFilters();
  const period: Period = filters.period && filters.period in PERIODS ? (filters.period as Period) : "day";
  const by: By = filters.by && filters.by in BYS ? (filters.by as By) : "trunk";
  // The period moves on by a minute at a time, so that requests in the same minute are the same.
  const to = Math.floor(useNow(15_000) / 60_000) * 60_000;
  const { seconds, step } = PERIODS[period];
  // The steps of an answer begin at its start, and those of the chart at whole multiples of a step.
  const from = Math.floor((to / 1000 - seconds) / step) * step * 1000;
  // There can be very many projects and queues, and the lines of the first five would say little.
  const charted = by !== "project" && by !== "queue";
  const request = { ...scope, by: BYS[by], from: timestampFromMs(from), step: charted ? step : undefined };
  const { data, error, refetch } = useQuery(CallService.method.getStatistics, request, {
    refetchInterval: 5_000,
    placeholderData: keepPreviousData,
  });
  // Attempts that have not ended have neither outcome nor cause.
  const series = (data?.series ?? []).filter((it) => attemptsOf(it.total, by) > 0n);
  const most = Math.max(1, ...series.map((it) => Number(attemptsOf(it.total, by))));

  const name = (it: StatisticsSeries): string => {
    switch (by) {
      case "trunk":
        return it.trunk || s.none;
      case "server":
        return it.asteriskServerCode || s.none;
      case "outcome":
        return it.outcome === undefined ? s.none : t.outcome[it.outcome];
      case "cause":
        return it.hangupCause === undefined ? s.none : `${it.hangupCause} ${it.hangupCauseText ?? ""}`;
      case "project":
        return it.project || s.none;
      case "queue":
        return it.queueId ? `#${it.queueId}` : s.quick;
      case "client":
        return clientName(it.clientId);
    }
  };
  const cells = (total: StatisticsPoint | undefined) => [
    count((by === "outcome" || by === "cause" ? total?.endedCalls : total?.calls) ?? 0n),
    count(attemptsOf(total, by)),
    count(total?.answered ?? 0n),
    total?.asr === undefined ? t.time.none : percent(total.asr),
    total?.acd === undefined ? t.time.none : s.seconds(total.acd),
    total?.postDialDelayP50 === undefined
      ? t.time.none
      : s.pddValue(total.postDialDelayP50, total.postDialDelayP95 ?? total.postDialDelayP50),
    count(Math.round(Number(total?.billableSeconds ?? 0n) / 60)),
  ];
  const head = [s.calls, s.attempts, s.answered, s.asr, s.acd, s.pdd, s.minutes];
  const save = async () => {
    const { default: Papa } = await import("papaparse");
    const rows = series.map((it) => {
      const p = it.total;
      return [
        name(it),
        p?.calls,
        p?.attempts,
        p?.endedAttempts,
        p?.answered,
        p?.asr,
        p?.acd,
        p?.postDialDelayP50,
        p?.postDialDelayP95,
        p?.billableSeconds,
      ].map((value) => (value === undefined ? "" : `${value}`));
    });
    const fields = [
      by,
      "calls",
      "attempts",
      "ended_attempts",
      "answered",
      "asr",
      "acd",
      "post_dial_delay_p50_ms",
      "post_dial_delay_p95_ms",
      "billable_seconds",
    ];
    download(`statistics-by-${by}-${period}.csv`, Papa.unparse({ fields, data: rows }, { escapeFormulae: true }));
  };
  const options = Object.fromEntries(Object.entries(s.bys).filter(([it]) => it !== "client" || who.admin));
  return (
    <Page
      title={t.nav.statistics}
      actions={
        series.length > 0 && (
          <Button onClick={save}>
            <Download size={14} aria-hidden />
            {s.download}
          </Button>
        )
      }
    >
      <div className={css.filters}>
        <Segments
          label={s.period}
          value={period}
          options={s.periods}
          onChange={(value) => setFilters({ period: value === "day" ? "" : value })}
        />
        <div className={own.by}>
          <label htmlFor={id}>{s.by}</label>
          <select
            id={id}
            className={controls.select}
            value={by}
            onChange={(event) => setFilters({ by: event.target.value === "trunk" ? "" : event.target.value })}
          >
            {Object.entries(options).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </div>
      </div>
      <ErrorBanner error={error} onRetry={refetch} />
      {charted && series.length > 0 && (
        <Card title={s.overTime}>
          <Lines
            series={series.slice(0, LINES.length).map((it) => ({ name: name(it), series: it }))}
            from={from / 1000}
            to={to / 1000}
            step={step}
            by={by}
          />
        </Card>
      )}
      <Card flush>
        {data && series.length === 0 ? (
          <Empty icon={ChartNoAxesColumn} title={s.empty}>
            {s.emptyText}
          </Empty>
        ) : (
          <Plain
            label={t.nav.statistics}
            end={[2, 3, 4, 5, 6, 7, 8]}
            wide={[1, 2, 4, 6, 7, 8]}
            head={[
              s.bys[by],
              <span key="bar" className="visually-hidden">
                {s.answered}
              </span>,
              ...head,
            ]}
            rows={series.map((it, n) => ({
              key: `${n} ${name(it)}`,
              cells: [name(it), <Share key="bar" point={it.total} by={by} most={most} />, ...cells(it.total)],
            }))}
          />
        )}
      </Card>
      <p className={css.text}>
        {s.text} {s.pddHelp}
      </p>
    </Page>
  );
}

/** The attempts of each series over time. */
function Lines(props: {
  series: { name: string; series: StatisticsSeries }[];
  from: number;
  to: number;
  step: number;
  by: By;
}) {
  const { series, from, to, step, by } = props;
  const { times, lines } = useMemo(() => {
    const made = series.map((it, n) => ({
      ...it,
      ...everyStep(it.series, from, to, step),
      tone: LINES[n] ?? "Accent",
    }));
    const times = made.reduce<number[]>((longest, it) => (it.times.length > longest.length ? it.times : longest), []);
    const lines = made.map(({ name, points, tone }) => ({
      label: name,
      tone,
      values: times.map((_, n) => Number(attemptsOf(points[n], by))),
      write: (value: number) => count(Math.round(value)),
    }));
    return { times, lines };
  }, [series, from, to, step, by]);
  return <Chart label={s.chart(series.map((it) => it.name).join(", "))} times={times} series={lines} height={150} />;
}

/** How many of the attempts were answered, as long as the attempts are many. */
function Share({ point, by, most }: { point: StatisticsPoint | undefined; by: By; most: number }) {
  const attempts = Number(attemptsOf(point, by));
  const answered = Math.min(attempts, Number(point?.answered ?? 0n));
  return (
    <div className={own.share}>
      <div style={{ width: `${Math.max(2, (attempts / most) * 100)}%` }}>
        <StackedBar
          thin
          label={s.attempts}
          parts={[
            { id: "answered", label: s.answered, count: answered, tone: "Good" },
            { id: "other", label: s.attempts, count: attempts - answered, tone: "Idle" },
          ]}
        />
      </div>
    </div>
  );
}
