import { CallStatus, type StatisticsSeries } from "@trunkline/client";
import type { ReactNode } from "react";
import type { Period } from "../../api/statistics";
import { live, useLiveFrame } from "../../live/live";
import { t } from "../../text/en";
import { compact, count, percent, tenths } from "../../ui/numbers";
import { Sparkline } from "../../ui/sparkline";
import { duration, useNow } from "../../ui/time";
import css from "./overview.module.css";

/** The numbers that matter most. Those of now are counted from the stream, and the others are the server's. */
export function Tiles({ series, period }: { series: StatisticsSeries | undefined; period: Period }) {
  const total = series?.total;
  const delay = total?.postDialDelayP50;
  return (
    <dl className={css.tiles}>
      <Rate />
      <LiveNow />
      <Tile title={t.overview.waiting} help={t.overview.waitingHelp}>
        {compact(series?.now?.waiting ?? 0n)}
      </Tile>
      <Tile title={t.overview.answerRate} help={t.overview.answerRateHelp[period]}>
        {total?.asr === undefined ? t.time.none : percent(total.asr)}
      </Tile>
      <Tile title={t.overview.duration} help={t.overview.durationHelp}>
        {total?.acd === undefined ? t.time.none : duration(total.acd)}
      </Tile>
      <Tile
        title={t.overview.delay}
        help={
          total?.postDialDelayP95 === undefined
            ? ""
            : t.overview.delayHelp(`${tenths(total.postDialDelayP95 / 1000)} s`)
        }
      >
        {delay === undefined ? t.time.none : `${tenths(delay / 1000)} s`}
      </Tile>
    </dl>
  );
}

function Tile(props: { title: string; help?: ReactNode; children: ReactNode; picture?: ReactNode }) {
  return (
    <div className={css.tile}>
      <dt>{props.title}</dt>
      <dd className={css.value}>
        {props.children}
        {props.picture}
      </dd>
      <dd className={css.help}>{props.help}</dd>
    </div>
  );
}

/** Attempts that begin in a second, as the mean of the last five. */
function Rate() {
  useNow(1000);
  const seconds = live.calls.recent(60);
  const last = seconds.slice(-5).reduce((sum, it) => sum + it.attempts, 0) / 5;
  const picture = (
    <Sparkline values={seconds.map((it) => it.attempts)} label={t.overview.rateHelp} width={64} height={26} />
  );
  return (
    <Tile title={t.overview.rate} help={t.overview.rateHelp} picture={picture}>
      {tenths(last)}
    </Tile>
  );
}

function LiveNow() {
  useLiveFrame();
  let answered = 0;
  for (const call of live.calls.calls.values()) {
    if (call.leftAt === undefined && call.status === CallStatus.ANSWERED) answered++;
  }
  return (
    <Tile title={t.overview.live} help={t.overview.liveHelp(count(answered))}>
      <span data-testid="live-count">{count(live.calls.live)}</span>
    </Tile>
  );
}
