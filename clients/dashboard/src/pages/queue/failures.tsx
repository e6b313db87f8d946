import { useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { CallOutcome, CallService, CallStatus, type Queue, StatisticsBy } from "@trunkline/client";
import { Link } from "wouter";
import { useLiveRefetch } from "../../live/live";
import { t } from "../../text/en";
import { ErrorBanner } from "../../ui/banner";
import { StackedBar } from "../../ui/bar";
import { count } from "../../ui/numbers";
import { Card } from "../../ui/page";
import { OutcomeBadge, outcomeTone } from "../../ui/status";
import css from "./queue.module.css";

const ANSWERED = [CallOutcome.ANSWERED, CallOutcome.CANCELED];

/** How the calls of a queue failed, by outcome and by hangup cause. */
export function Failures({ queue }: { queue: Queue }) {
  const request = { queueId: queue.queueId, from: queue.createdAt, clientId: queue.clientId };
  const options = { placeholderData: keepPreviousData, refetchInterval: 15_000 };
  const outcomes = useQuery(CallService.method.getStatistics, { ...request, by: StatisticsBy.OUTCOME }, options);
  const causes = useQuery(CallService.method.getStatistics, { ...request, by: StatisticsBy.HANGUP_CAUSE }, options);
  useLiveRefetch(
    () => Promise.all([outcomes.refetch(), causes.refetch()]),
    3_000,
    (event) => event.queueId === queue.queueId,
  );
  const failed = (outcomes.data?.series ?? []).filter(
    (it) => it.outcome !== undefined && !ANSWERED.includes(it.outcome) && (it.total?.endedCalls ?? 0n) > 0n,
  );
  const link = (outcome: CallOutcome) => {
    const status =
      outcome === CallOutcome.EXPIRED
        ? CallStatus.EXPIRED
        : outcome === CallOutcome.UNKNOWN
          ? CallStatus.UNKNOWN
          : CallStatus.FAILED;
    return `/queues/${queue.queueId}?tab=calls&status=${status}&outcome=${outcome}`;
  };
  return (
    <Card title={t.queue.failures}>
      <ErrorBanner error={outcomes.error ?? causes.error} />
      {failed.length === 0 ? (
        <p className={css.quiet}>{t.queue.noFailures}</p>
      ) : (
        <>
          <StackedBar
            label={t.queue.failures}
            parts={failed.map((it) => ({
              id: `${it.outcome}`,
              label: t.outcome[it.outcome ?? 0],
              count: it.total?.endedCalls ?? 0n,
              tone: outcomeTone(it.outcome ?? 0),
            }))}
          />
          <ul className={css.reasons}>
            {failed.map((it) => (
              <li key={it.outcome} className={css.reason}>
                <strong className={css.reasonCount}>{count(it.total?.endedCalls ?? 0n)}</strong>
                <div>
                  <OutcomeBadge outcome={it.outcome} />
                  <p className={css.reasonText}>{t.outcomeHelp[it.outcome ?? 0]}</p>
                </div>
                <Link
                  to={link(it.outcome ?? 0)}
                  className={css.change}
                  aria-label={`${t.queue.show}: ${t.outcome[it.outcome ?? 0]}`}
                >
                  {t.queue.show}
                </Link>
              </li>
            ))}
          </ul>
        </>
      )}
      {(causes.data?.series.some((it) => it.hangupCause !== undefined) ?? false) && (
        <>
          <h3 className={css.subhead}>{t.queue.cause}</h3>
          <dl className={css.causes}>
            {causes.data?.series
              .filter((it) => it.hangupCause !== undefined)
              .slice(0, 8)
              .map((it) => (
                <div key={it.hangupCause}>
                  <dt>
                    {it.hangupCauseText} <span className={css.quiet}>{t.queue.causeNumber(it.hangupCause ?? 0)}</span>
                  </dt>
                  <dd>{count(it.total?.endedAttempts ?? 0n)}</dd>
                </div>
              ))}
          </dl>
        </>
      )}
    </Card>
  );
}
