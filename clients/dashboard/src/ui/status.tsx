import { CallOutcome, CallStatus, QueueStatus } from "@trunkline/client";
import { t } from "../text/en";
import { classes } from "./classes";
import css from "./controls.module.css";

/** The colour of a meaning. */
export type Tone = "Track" | "Good" | "Warn" | "Bad" | "Info" | "Idle" | "Violet" | "Orange" | "Brown";

const CALL_TONES: Record<CallStatus, Tone> = {
  [CallStatus.UNSPECIFIED]: "Idle",
  [CallStatus.QUEUED]: "Idle",
  [CallStatus.DIALING]: "Info",
  [CallStatus.RINGING]: "Violet",
  [CallStatus.ANSWERED]: "Good",
  [CallStatus.RETRYING]: "Warn",
  [CallStatus.COMPLETED]: "Good",
  [CallStatus.FAILED]: "Bad",
  [CallStatus.EXPIRED]: "Brown",
  [CallStatus.CANCELED]: "Idle",
  [CallStatus.UNKNOWN]: "Orange",
};

const OUTCOME_TONES: Record<CallOutcome, Tone> = {
  [CallOutcome.UNSPECIFIED]: "Idle",
  [CallOutcome.ANSWERED]: "Good",
  [CallOutcome.BUSY]: "Warn",
  [CallOutcome.NO_ANSWER]: "Violet",
  [CallOutcome.CONGESTION]: "Orange",
  [CallOutcome.UNALLOCATED]: "Brown",
  [CallOutcome.REJECTED]: "Bad",
  [CallOutcome.FAILED]: "Bad",
  [CallOutcome.EXPIRED]: "Brown",
  [CallOutcome.CANCELED]: "Idle",
  [CallOutcome.UNKNOWN]: "Info",
};

/** Returns the colour of a call's status. */
export const callTone = (status: CallStatus): Tone => CALL_TONES[status] ?? "Idle";
/** Returns the colour of an outcome. */
export const outcomeTone = (outcome: CallOutcome): Tone => OUTCOME_TONES[outcome] ?? "Idle";

/** A word with a dot in the colour of its meaning. */
export function Badge({ tone, children, title }: { tone: Tone; children: React.ReactNode; title?: string }) {
  return (
    <span className={classes(css.badge, css[`tone${tone}`])} title={title}>
      {children}
    </span>
  );
}

/** The status of a call. */
export function CallStatusBadge({ status }: { status: CallStatus }) {
  return <Badge tone={callTone(status)}>{t.callStatus[status] ?? `${status}`}</Badge>;
}

/** How an attempt ended. */
export function OutcomeBadge({ outcome }: { outcome: CallOutcome | undefined }) {
  if (outcome === undefined) return <span className={css.dim}>{t.time.none}</span>;
  return (
    <Badge tone={outcomeTone(outcome)} title={t.outcomeHelp[outcome]}>
      {t.outcome[outcome] ?? `${outcome}`}
    </Badge>
  );
}

/** Whether a queue dials. */
export function QueueStatusBadge({ status }: { status: QueueStatus }) {
  const tone = status === QueueStatus.IN_PROGRESS ? "Good" : status === QueueStatus.PAUSED ? "Warn" : "Idle";
  return <Badge tone={tone}>{t.queueStatus[status] ?? `${status}`}</Badge>;
}
