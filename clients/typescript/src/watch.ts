import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { type CallEvent, CallEventType, type CallService, type WatchCallsRequestSchema } from "./api.js";
import { isLost, retryAfter } from "./errors.js";

/** What the stream behind {@link watchCalls} is doing. */
export type WatchState =
  /** A connection is being opened. `fresh` is true if it begins with a snapshot, which replaces what was known before. */
  | { kind: "connecting"; fresh: boolean }
  /** The snapshot, or what happened since the cursor, is being received. */
  | { kind: "catching-up" }
  /** Events are received as they happen. */
  | { kind: "live" }
  /** The connection was lost. The next attempt is made at `retryAt`, in milliseconds since the epoch. */
  | { kind: "away"; error: ConnectError; retryAt: number };

/** How to watch calls. */
export interface WatchOptions {
  /** The filters of the stream. `after` and `heartbeat` are set by {@link watchCalls}. */
  request?: Omit<MessageInitShape<typeof WatchCallsRequestSchema>, "after" | "heartbeat" | "$typeName">;
  /** The cursor to begin after. Default: the stream begins with a snapshot. */
  after?: bigint;
  /** Ends the iteration without an error. */
  signal?: AbortSignal;
  /** Is called whenever the stream changes its state. */
  onState?: (state: WatchState) => void;
  /** Milliseconds without an event after which the connection counts as lost. Default 45000: three heartbeats. */
  silence?: number;
  /** The shortest and the longest time between two attempts to connect, in milliseconds. Default 250 and 10000. */
  backoff?: { min: number; max: number };
  /** Returns the server's time in milliseconds since the epoch. Default: the time of this machine. */
  now?: () => number;
}

/** Milliseconds without an event after which a stream that was resumed counts as caught up. */
const QUIET = 400;

/**
 * Iterates over the events of calls for as long as the caller wants, over however many connections that takes. Each
 * event after the cursor arrives once and in order. Heartbeats are left out.
 *
 * A connection that is lost or falls silent is opened again, and continues after the last event. If the server no longer
 * knows the cursor, the stream begins with a new snapshot, and `onState` says so by `fresh`. The iteration ends with an
 * error if the server refuses the key or the request.
 */
export async function* watchCalls(
  client: Client<typeof CallService>,
  options: WatchOptions = {},
): AsyncGenerator<CallEvent> {
  const { signal, silence = 45_000, backoff = { min: 250, max: 10_000 }, now = Date.now } = options;
  let state: WatchState | undefined;
  const enter = (next: WatchState) => {
    if (next.kind === state?.kind && next.kind !== "away" && next.kind !== "connecting") return;
    state = next;
    options.onState?.(next);
  };
  let cursor = options.after;
  let failures = 0;

  while (!signal?.aborted) {
    const connection = new AbortController();
    const stop = () => connection.abort();
    signal?.addEventListener("abort", stop, { once: true });
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    let quiet: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => connection.abort(), silence);
    };
    const fresh = cursor === undefined;
    const began = now();
    const caughtUp = () => {
      clearTimeout(quiet);
      enter({ kind: "live" });
    };
    const busy = () => {
      clearTimeout(quiet);
      quiet = setTimeout(caughtUp, QUIET);
    };
    let lost: ConnectError;
    try {
      enter({ kind: "connecting", fresh });
      alive();
      const stream = client.watchCalls(
        { ...options.request, after: cursor, heartbeat: true },
        {
          signal: connection.signal,
          onHeader: () => {
            alive();
            enter({ kind: "catching-up" });
            if (!fresh) busy();
          },
        },
      );
      for await (const { event } of stream) {
        alive();
        if (event === undefined) continue;
        failures = 0;
        if (event.seq !== 0n) cursor = event.seq;
        if (state?.kind !== "live") {
          const over = event.type === CallEventType.HEARTBEAT || event.type === CallEventType.SNAPSHOT_COMPLETE;
          if (over || (!fresh && event.at !== undefined && timestampMs(event.at) >= began)) caughtUp();
          else if (!fresh) busy();
        }
        if (event.type !== CallEventType.HEARTBEAT) yield event;
        if (signal?.aborted) return;
      }
      lost = new ConnectError("the server ended the stream", Code.Unavailable);
    } catch (error) {
      if (signal?.aborted) return;
      lost = connection.signal.aborted
        ? new ConnectError("nothing was received for too long", Code.Unavailable)
        : ConnectError.from(error);
      // The server has another database now, or the cursor is of another server.
      if (lost.code === Code.OutOfRange && cursor !== undefined) cursor = undefined;
      else if (!isLost(lost)) throw lost;
    } finally {
      clearTimeout(watchdog);
      clearTimeout(quiet);
      signal?.removeEventListener("abort", stop);
      // Ends the request if the caller left the loop.
      connection.abort();
    }
    const wait = Math.min(backoff.max, backoff.min * 2 ** failures++) * (0.75 + Math.random() / 2);
    const delay = Math.max(wait, retryAfter(lost) ?? 0);
    enter({ kind: "away", error: lost, retryAt: Date.now() + delay });
    await pause(delay, signal);
  }
}

/** Resolves after some milliseconds, or as soon as the signal is aborted. */
function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done, { once: true });
  });
}
