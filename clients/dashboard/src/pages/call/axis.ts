import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Attempt } from "@trunkline/client";

/** A part of an attempt on the time axis. Times are the server's, in milliseconds since the epoch. */
export interface Phase {
  kind: "dialing" | "ringing" | "answered";
  from: number;
  to: number;
}

/** Returns the parts of an attempt. One that is live lasts until now. Parts without a length are left out. */
export function phases(attempt: Attempt, now: number): Phase[] {
  const at = (time: Attempt["startedAt"]) => (time ? timestampMs(time) : undefined);
  const started = at(attempt.startedAt);
  if (started === undefined) return [];
  const ringing = at(attempt.ringingAt);
  const answered = at(attempt.answeredAt);
  const ended = at(attempt.endedAt) ?? Math.max(now, started);
  const found: Phase[] = [
    { kind: "dialing", from: started, to: ringing ?? answered ?? ended },
    ...(ringing === undefined ? [] : [{ kind: "ringing" as const, from: ringing, to: answered ?? ended }]),
    ...(answered === undefined ? [] : [{ kind: "answered" as const, from: answered, to: ended }]),
  ];
  return found.filter((it) => it.to > it.from);
}

/** A scale of time from 0 to 1, on which long waits between attempts are short. */
export interface Axis {
  place: (milliseconds: number) => number;
  /** Where waits were shortened, from and to. */
  gaps: { from: number; to: number; length: number }[];
  /** The length of what is shown, without the waits. */
  busy: number;
}

/** The part of the axis that a shortened wait takes. */
const GAP = 0.05;

/** Makes the axis of some spans of time. */
export function axisOf(spans: { from: number; to: number }[]): Axis {
  const sorted = [...spans].sort((a, b) => a.from - b.from);
  const pieces: { from: number; to: number; gap: boolean }[] = [];
  for (const span of sorted) {
    const last = pieces.at(-1);
    if (last && span.from <= last.to) {
      last.to = Math.max(last.to, span.to);
      continue;
    }
    if (last) pieces.push({ from: last.to, to: span.from, gap: true });
    pieces.push({ ...span, gap: false });
  }
  const busy = pieces.reduce((sum, it) => sum + (it.gap ? 0 : it.to - it.from), 0);
  // A wait that is short beside the attempts is shown as long as it was.
  for (const piece of pieces) {
    if (piece.gap && piece.to - piece.from <= busy * GAP) piece.gap = false;
  }
  const gaps = pieces.filter((it) => it.gap);
  const shown = pieces.reduce((sum, it) => sum + (it.gap ? 0 : it.to - it.from), 0);
  const unit = shown > 0 ? (1 - gaps.length * GAP) / shown : 0;
  const starts: number[] = [];
  let at = 0;
  for (const piece of pieces) {
    starts.push(at);
    at += piece.gap ? GAP : (piece.to - piece.from) * unit;
  }
  const place = (milliseconds: number): number => {
    for (const [n, piece] of pieces.entries()) {
      if (milliseconds > piece.to && n < pieces.length - 1) continue;
      const length = piece.to - piece.from;
      const part = length > 0 ? Math.min(1, Math.max(0, (milliseconds - piece.from) / length)) : 0;
      return (starts[n] ?? 0) + part * (piece.gap ? GAP : length * unit);
    }
    return 0;
  };
  return {
    place,
    busy: shown,
    gaps: gaps.map((it) => ({ from: place(it.from), to: place(it.from) + GAP, length: it.to - it.from })),
  };
}
