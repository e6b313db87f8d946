import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Call, CallEventType } from "@trunkline/client";
import { serverNow } from "../../api/session";
import { t } from "../../text/en";
import { classes } from "../../ui/classes";
import { OutcomeBadge } from "../../ui/status";
import { absolute, duration, useNow, useZone } from "../../ui/time";
import { axisOf, phases } from "./axis";
import css from "./call.module.css";

const seconds = (milliseconds: number) =>
  milliseconds < 60_000 ? `${(milliseconds / 1000).toFixed(1)} s` : duration(milliseconds / 1000);

/** The attempts of a call, each in a line, on one time axis. */
export function Attempts({ call }: { call: Call }) {
  const zone = useZone();
  const live = call.attemptHistory.some((it) => !it.endedAt);
  useNow(live ? 500 : 60_000);
  const now = serverNow();
  const lines = call.attemptHistory.map((attempt) => ({ attempt, parts: phases(attempt, now) }));
  const axis = axisOf(lines.flatMap(({ parts }) => parts));
  if (lines.length === 0) return <p className={css.quiet}>{t.callPage.noAttempts}</p>;
  return (
    <div className={css.timeline}>
      <ul className={css.key} aria-hidden="true">
        {(["dialing", "ringing", "answered"] as const).map((kind) => (
          <li key={kind} className={classes(css.keyEntry, css[kind])}>
            {t.callPage.phases[kind]}
          </li>
        ))}
        <li className={css.axisLength}>{t.callPage.axis(seconds(axis.busy))}</li>
      </ul>
      <ol className={css.lanes}>
        {lines.map(({ attempt, parts }) => {
          const events = call.timeline.filter(
            (it) => it.attempt === attempt.attempt && it.type !== CallEventType.DIALING,
          );
          const said = parts.map((it) => `${t.callPage.phases[it.kind]} ${seconds(it.to - it.from)}`).join(", ");
          return (
            <li key={attempt.attempt} className={css.lane}>
              <div className={css.laneHead}>
                <strong>{t.callPage.attempt(attempt.attempt)}</strong>
                {attempt.outcome !== undefined && <OutcomeBadge outcome={attempt.outcome} />}
                {attempt.hangupCause !== undefined && (
                  <span className={css.quiet}>
                    {t.callPage.cause(attempt.hangupCauseText ?? "", attempt.hangupCause)}
                  </span>
                )}
                <span className={css.laneWhen}>
                  {attempt.asteriskServerCode}
                  {attempt.startedAt && ` · ${absolute(timestampMs(attempt.startedAt), zone)}`}
                </span>
              </div>
              <div className={css.track} role="img" aria-label={`${t.callPage.attempt(attempt.attempt)}: ${said}`}>
                {axis.gaps.map((gap) => (
                  <span
                    key={gap.from}
                    className={css.gap}
                    title={seconds(gap.length)}
                    style={{ left: `${gap.from * 100}%`, width: `${(gap.to - gap.from) * 100}%` }}
                  />
                ))}
                {parts.map((it) => {
                  const from = axis.place(it.from);
                  const width = axis.place(it.to) - from;
                  return (
                    <span
                      key={it.kind}
                      className={classes(css.phase, css[it.kind])}
                      title={`${t.callPage.phases[it.kind]} ${seconds(it.to - it.from)}`}
                      style={{ left: `${from * 100}%`, width: `${width * 100}%` }}
                    >
                      {width > 0.12 && seconds(it.to - it.from)}
                    </span>
                  );
                })}
                {events.map(
                  (it) =>
                    it.at && (
                      <span
                        key={`${it.seq}`}
                        className={css.mark}
                        title={`${t.eventType[it.type]}${it.detail ? `: ${it.detail}` : ""}`}
                        style={{ left: `${axis.place(timestampMs(it.at)) * 100}%` }}
                      />
                    ),
                )}
              </div>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
