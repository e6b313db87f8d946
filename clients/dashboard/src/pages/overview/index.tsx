import { useQuery } from "@connectrpc/connect-query";
import { AdminService, QueueService, QueueStatus, StatisticsBy } from "@trunkline/client";
import { useMemo } from "react";
import { Link } from "wouter";
import { useScope, useWho } from "../../api/hooks";
import { everyStep, type Period, useStatistics } from "../../api/statistics";
import { Activity } from "../../chart/activity";
import { Chart } from "../../chart/chart";
import { useLiveRefetch } from "../../live/live";
import { useFilter } from "../../router";
import { t } from "../../text/en";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Legend, type Part, StackedBar } from "../../ui/bar";
import { LinkButton } from "../../ui/button";
import { Empty } from "../../ui/empty";
import { percent } from "../../ui/numbers";
import { Card, Page } from "../../ui/page";
import { Segments } from "../../ui/segments";
import { outcomeTone } from "../../ui/status";
import { QueueLine } from "../queues/queue-line";
import { Clients } from "./clients";
import css from "./overview.module.css";
import { Servers } from "./servers";
import { Tiles } from "./tiles";

/** What is dialed, how it ends, and whether the servers are well: now, and over the last hour or day. */
export default function Overview() {
  const who = useWho();
  const [chosen, choose] = useFilter("period");
  const period: Period = chosen === "day" ? "day" : "hour";
  const total = useStatistics({ period, steps: true });
  const outcomes = useStatistics({ period, by: StatisticsBy.OUTCOME });
  const { data: killSwitch } = useQuery(AdminService.method.getKillSwitch, {}, { enabled: who.admin });

  const series = total.data?.series[0];
  const { from, seconds, step } = total;
  const over = useMemo(() => everyStep(series, from, from + seconds, step), [series, from, seconds, step]);
  const rate = useMemo(
    () => [
      {
        label: t.overview.rateOverTime,
        tone: "Info" as const,
        values: over.points.map((it) => it?.asr ?? null),
        write: (value: number) => percent(value),
      },
    ],
    [over],
  );
  const parts: Part[] = (outcomes.data?.series ?? [])
    .filter((it) => it.outcome !== undefined)
    .map((it) => ({
      id: `${it.outcome}`,
      label: t.outcome[it.outcome ?? 0],
      help: t.outcomeHelp[it.outcome ?? 0],
      count: it.total?.endedAttempts ?? 0n,
      tone: outcomeTone(it.outcome ?? 0),
      href: `/find?outcome=${it.outcome}`,
    }));

  return (
    <Page
      title={t.nav.overview}
      actions={
        <Segments
          label={t.overview.period}
          value={period}
          options={t.overview.periods}
          onChange={(value) => choose(value === "hour" ? "" : value)}
        />
      }
    >
      {killSwitch?.killSwitch?.engaged && (
        <Banner tone="bad" live={false}>
          <strong>{t.overview.stopped}</strong> {killSwitch.killSwitch.reason}
        </Banner>
      )}
      <ErrorBanner error={total.error} onRetry={() => total.refetch()} />
      <Tiles series={series} period={period} />
      <div className={css.columns}>
        <Card title={t.overview.activity} aside={t.overview.perStep[period]}>
          <Activity {...over} total={series?.total} height={190} />
        </Card>
        <Card title={t.overview.rateOverTime}>
          <Chart label={t.overview.rateOverTime} times={over.times} series={rate} height={100} max={1} />
          <h3 className={css.subhead}>{t.overview.outcomes}</h3>
          {parts.some((it) => it.count > 0) ? (
            <div className={css.outcomes}>
              <StackedBar label={t.overview.outcomes} parts={parts} />
              <Legend parts={parts} />
            </div>
          ) : (
            <p className={css.none}>{t.overview.noOutcomes}</p>
          )}
        </Card>
      </div>
      <div className={css.columns}>
        <Running />
        <Servers />
      </div>
      {who.admin && <Clients period={period} />}
    </Page>
  );
}

/** The newest queues that are being dialed. */
function Running() {
  const scope = useScope();
  const who = useWho();
  const request = { ...scope, pageSize: 6, queueStatus: QueueStatus.IN_PROGRESS };
  const { data, error, refetch, isPending } = useQuery(QueueService.method.listQueues, request, {
    refetchInterval: 15_000,
  });
  useLiveRefetch(refetch, 2_000);
  return (
    <Card flush title={t.overview.running} aside={<Link to="/queues">{t.overview.allQueues}</Link>}>
      <ErrorBanner error={error} />
      {data?.results.map((queue) => (
        <QueueLine key={`${queue.queueId}`} queue={queue} />
      ))}
      {!isPending && data?.results.length === 0 && (
        <Empty
          title={t.overview.nothing}
          actions={
            who.writes && (
              <>
                <LinkButton to="/import">{t.nav.import}</LinkButton>
                <LinkButton to="/quick">{t.nav.quick}</LinkButton>
              </>
            )
          }
        >
          {t.overview.nothingText}
        </Empty>
      )}
    </Card>
  );
}
