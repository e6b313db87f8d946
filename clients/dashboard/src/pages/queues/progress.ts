import { type CallCounts, CallOutcome, CallStatus, type Queue, QueueKind } from "@trunkline/client";
import { t } from "../../text/en";
import type { Part } from "../../ui/bar";

/** The number of calls of a queue that wait, are live and have ended. */
export interface Sums {
  all: bigint;
  waiting: bigint;
  live: bigint;
  ended: bigint;
}

/** Sums up the counts of a queue. */
export function sums(counts: CallCounts | undefined): Sums {
  if (!counts) return { all: 0n, waiting: 0n, live: 0n, ended: 0n };
  const waiting = counts.queued + counts.retrying;
  const live = counts.dialing + counts.ringing + counts.answered;
  const ended = counts.completed + counts.failed + counts.expired + counts.canceled + counts.unknown;
  return { all: waiting + live + ended, waiting, live, ended };
}

/** The statuses that a queue's calls can be filtered by, in the order of a call's life. */
export const STATUSES = [
  CallStatus.QUEUED,
  CallStatus.RETRYING,
  CallStatus.DIALING,
  CallStatus.RINGING,
  CallStatus.ANSWERED,
  CallStatus.COMPLETED,
  CallStatus.FAILED,
  CallStatus.EXPIRED,
  CallStatus.CANCELED,
  CallStatus.UNKNOWN,
] as const;

/** The outcomes that calls can be filtered by. */
export const OUTCOMES = [
  CallOutcome.ANSWERED,
  CallOutcome.BUSY,
  CallOutcome.NO_ANSWER,
  CallOutcome.CONGESTION,
  CallOutcome.UNALLOCATED,
  CallOutcome.REJECTED,
  CallOutcome.FAILED,
  CallOutcome.EXPIRED,
  CallOutcome.CANCELED,
  CallOutcome.UNKNOWN,
] as const;

/** The parts of a queue's progress bar. `link` makes the address of the calls in a status. */
export function progress(counts: CallCounts | undefined, link?: (status: CallStatus) => string): Part[] {
  if (!counts) return [];
  const part = (status: CallStatus, count: bigint, tone: Part["tone"]): Part => ({
    id: `${status}`,
    label: t.callStatus[status],
    count,
    tone,
    href: link?.(status),
  });
  return [
    part(CallStatus.COMPLETED, counts.completed, "Good"),
    part(CallStatus.FAILED, counts.failed, "Bad"),
    part(CallStatus.EXPIRED, counts.expired, "Brown"),
    part(CallStatus.CANCELED, counts.canceled, "Idle"),
    part(CallStatus.UNKNOWN, counts.unknown, "Orange"),
    part(CallStatus.ANSWERED, counts.answered, "Info"),
    part(CallStatus.RINGING, counts.ringing, "Violet"),
    part(CallStatus.DIALING, counts.dialing, "Violet"),
    part(CallStatus.RETRYING, counts.retrying, "Warn"),
    part(CallStatus.QUEUED, counts.queued, "Track"),
  ];
}

/** What a queue is called: its name, or what it was created for and its number. */
export function queueName(queue: Pick<Queue, "name" | "queueId" | "kind">): string {
  if (queue.name) return queue.name;
  return `${queue.kind === QueueKind.QUICK ? t.queues.quick : t.nav.queue} ${queue.queueId}`;
}
