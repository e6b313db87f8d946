import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Call, CallEventType } from "@trunkline/client";
import { t } from "../../text/en";
import { classes } from "../../ui/classes";
import tones from "../../ui/controls.module.css";
import { OutcomeBadge, type Tone } from "../../ui/status";
import { absolute, clock, duration, short, useZone } from "../../ui/time";
import css from "./call.module.css";

const TONES: Partial<Record<CallEventType, Tone>> = {
  [CallEventType.DIALING]: "Info",
  [CallEventType.RINGING]: "Violet",
  [CallEventType.ANSWERED]: "Good",
  [CallEventType.BRIDGED]: "Good",
  [CallEventType.RECORDING_FAILED]: "Bad",
  [CallEventType.RETRYING]: "Warn",
  [CallEventType.NOTE]: "Orange",
};

/** Writes the times in a text of the server in the viewer's zone. */
function inZone(text: string, zone: ReturnType<typeof useZone>): string {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (time) => short(Date.parse(time), zone));
}

/** Everything that happened to a call, oldest first. */
export function Events({ call }: { call: Call }) {
  const zone = useZone();
  if (call.timeline.length === 0) return <p className={css.quiet}>{t.callPage.noEvents}</p>;
  const first = call.createdAt ? timestampMs(call.createdAt) : 0;
  return (
    <ol className={css.events}>
      {call.timeline.map((event) => {
        const at = event.at ? timestampMs(event.at) : first;
        return (
          <li key={`${event.seq}`} className={css.event}>
            <time dateTime={new Date(at).toISOString()} title={absolute(at, zone)}>
              {clock(at, zone)}
            </time>
            <span className={css.offset}>{t.callPage.after(duration((at - first) / 1000))}</span>
            <span className={classes(tones.badge, tones[`tone${TONES[event.type] ?? "Idle"}`])}>
              {t.eventType[event.type]}
            </span>
            <span className={css.detail}>
              {event.outcome !== undefined && event.type !== CallEventType.ANSWERED && (
                <OutcomeBadge outcome={event.outcome} />
              )}
              {event.detail && <span>{inZone(event.detail, zone)}</span>}
            </span>
          </li>
        );
      })}
    </ol>
  );
}
