import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type CallEvent, CallEventType, type CallOutcome, CallStatus } from "@trunkline/client";
import { serverNow } from "../api/session";

/** A call that is live, or has just ended. Times are the server's, in milliseconds since the epoch. */
export interface LiveCall {
  callId: string;
  queueId: bigint;
  clientId?: bigint;
  server: string;
  contactNumber?: bigint;
  channel: string;
  status: CallStatus;
  attempt: number;
  startedAt: number;
  answeredAt?: number;
  bridged: boolean;
  labels: Record<string, string>;
  /** When the call stopped being live. It stays for a moment, so that a viewer sees how it ended. */
  leftAt?: number;
  outcome?: CallOutcome;
  cause?: number;
}

/** How long a call that is no longer live stays in the table, in milliseconds. */
export const LINGER = 4_000;

/** What began and ended in one second. */
export interface Second {
  second: number;
  attempts: number;
  answered: number;
  ended: number;
  failed: number;
}

/** The seconds that are counted. */
export const SECONDS = 120;

/** The calls that are live, kept from a stream of events that began with a snapshot. */
export class LiveCalls {
  readonly calls = new Map<string, LiveCall>();
  readonly seconds: Second[] = Array.from({ length: SECONDS }, () => empty(0));
  /** Live calls that the snapshot was too small for. */
  unlisted = 0;
  /** Events since the page was opened. */
  events = 0;
  #listed = 0;
  #leaving = new Map<string, number>();

  /** Forgets all calls, because a new snapshot follows. */
  clear(): void {
    this.calls.clear();
    this.#leaving.clear();
    this.unlisted = 0;
    this.#listed = 0;
  }

  /** The number of live calls. */
  get live(): number {
    return this.calls.size - this.#leaving.size + this.unlisted;
  }

  /** Returns what began and ended in the last whole seconds, oldest first. */
  recent(count: number): Second[] {
    const now = Math.floor(serverNow() / 1000);
    return Array.from({ length: count }, (_, n) => {
      const second = now - count + n;
      const kept = this.seconds[second % SECONDS];
      return kept?.second === second ? kept : empty(second);
    });
  }

  /** Applies an event. */
  apply(event: CallEvent): void {
    this.events++;
    const at = event.at ? timestampMs(event.at) : serverNow();
    if (event.type === CallEventType.SNAPSHOT_COMPLETE) {
      this.unlisted = Math.max(0, (event.count ?? this.#listed) - this.#listed);
      return;
    }
    if (event.callId === undefined) return;
    switch (event.type) {
      case CallEventType.SNAPSHOT: {
        this.#listed++;
        const call = this.#begin(event, serverNow() - (event.duration ?? 0) * 1000);
        if (event.status === CallStatus.ANSWERED) call.answeredAt = undefined;
        return;
      }
      case CallEventType.DIALING:
        this.#begin(event, at);
        this.#count(at).attempts++;
        return;
      case CallEventType.RINGING:
      case CallEventType.ADOPTED:
        this.#known(event, at).status = event.status ?? CallStatus.RINGING;
        return;
      case CallEventType.ANSWERED: {
        const call = this.#known(event, at);
        call.status = CallStatus.ANSWERED;
        call.answeredAt = at;
        this.#count(at).answered++;
        return;
      }
      case CallEventType.BRIDGED:
        this.#known(event, at).bridged = true;
        return;
      case CallEventType.RETRYING:
        this.#leave(event, at, CallStatus.RETRYING);
        return;
      case CallEventType.ENDED:
        this.#leave(event, at, event.status ?? CallStatus.UNKNOWN);
        return;
    }
  }

  /** Forgets calls that are no longer live, after a moment. Returns true if there were any. */
  sweep(now: number): boolean {
    let swept = false;
    for (const [callId, leftAt] of this.#leaving) {
      // They are in the order in which they left.
      if (now - leftAt < LINGER) break;
      this.#leaving.delete(callId);
      this.calls.delete(callId);
      swept = true;
    }
    return swept;
  }

  #begin(event: CallEvent, startedAt: number): LiveCall {
    const callId = event.callId ?? "";
    const before = this.calls.get(callId);
    this.#leaving.delete(callId);
    const call: LiveCall = {
      callId,
      queueId: event.queueId,
      clientId: event.clientId,
      server: event.asteriskServerCode ?? before?.server ?? "",
      contactNumber: event.contactNumber ?? before?.contactNumber,
      channel: event.channel ?? before?.channel ?? "",
      status: event.status ?? CallStatus.DIALING,
      attempt: event.attempt ?? 1,
      startedAt,
      bridged: false,
      labels: Object.keys(event.labels).length > 0 ? event.labels : (before?.labels ?? {}),
    };
    // A further attempt takes a new place at the end of the table, as its start does.
    this.calls.delete(callId);
    this.calls.set(callId, call);
    return call;
  }

  #known(event: CallEvent, at: number): LiveCall {
    const known = this.calls.get(event.callId ?? "");
    if (known && known.leftAt === undefined) return known;
    if (this.unlisted > 0) this.unlisted--;
    return this.#begin(event, at);
  }

  #leave(event: CallEvent, at: number, status: CallStatus): void {
    const call = this.calls.get(event.callId ?? "");
    const attempted = event.attempt !== undefined && event.attempt > 0;
    if (attempted || call) {
      const second = this.#count(at);
      second.ended++;
      if (status === CallStatus.FAILED || status === CallStatus.RETRYING) second.failed++;
    }
    if (!call) {
      if (attempted && this.unlisted > 0) this.unlisted--;
      return;
    }
    if (call.leftAt !== undefined) return;
    call.status = status;
    call.outcome = event.outcome;
    call.cause = event.hangupCause;
    call.leftAt = at;
    this.#leaving.set(call.callId, Date.now());
  }

  #count(at: number): Second {
    const second = Math.floor(at / 1000);
    const place = second % SECONDS;
    const kept = this.seconds[place];
    if (kept && kept.second === second) return kept;
    const begun = empty(second);
    // What happened longer ago than the seconds that are kept counts nowhere.
    if (!kept || kept.second < second) this.seconds[place] = begun;
    return begun;
  }
}

function empty(second: number): Second {
  return { second, attempts: 0, answered: 0, ended: 0, failed: 0 };
}
