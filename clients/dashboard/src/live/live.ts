import { Code, ConnectError } from "@connectrpc/connect";
import { type CallEvent, watchCalls } from "@trunkline/client";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { scope } from "../api/scope";
import { serverNow, session } from "../api/session";
import { api } from "../api/transport";
import { Store, useStore } from "../store";
import { LiveCalls } from "./calls";
import { Tabs } from "./tabs";

/** What the stream of this tab is doing. */
export type LiveState =
  | { kind: "off" | "connecting" | "catching-up" | "live" }
  /** Let go by the viewer, because the tab was hidden for a minute, or because too many tabs are open. */
  | { kind: "paused"; why: "viewer" | "hidden" | "tabs" }
  | { kind: "away"; retryAt: number; error: unknown }
  | { kind: "refused"; error: unknown };

/** A hidden tab lets go of its connection after this time, in milliseconds, because a browser opens six to a host. */
const HIDDEN = 60_000;
/** After a longer absence, in milliseconds, a snapshot is quicker than all that happened. */
const LONG_ABSENCE = 600_000;
/** The shortest time between two frames in which something is drawn, in milliseconds: no eye reads faster. */
const FRAME = 40;
/** Events that are kept for listeners until the next frame. */
const BATCH = 5_000;

/** Receives the events of a frame, or undefined if there were too many to keep: anything may have changed. */
type Listener = (events: readonly CallEvent[] | undefined) => void;

class Live {
  readonly state = new Store<LiveState>({ kind: "off" });
  /** Rises with each frame in which something is to be drawn. */
  readonly frame = new Store(0);
  readonly calls = new LiveCalls();
  #cursor: bigint | undefined;
  #leftAt = 0;
  #connection: AbortController | undefined;
  #scheduled = false;
  #drawnAt = 0;
  #batch: CallEvent[] | undefined = [];
  #listeners = new Set<Listener>();
  #hiding: ReturnType<typeof setTimeout> | undefined;
  #wanted: string | undefined;
  readonly #tabs = new Tabs(() => this.#release({ kind: "paused", why: "tabs" }));

  constructor() {
    const follow = () => {
      const { state, key } = session.get();
      const wanted = state === "open" ? `${key} ${scope.get() ?? ""}` : undefined;
      if (wanted === this.#wanted) return;
      this.#wanted = wanted;
      this.#release({ kind: "off" });
      this.#cursor = undefined;
      this.calls.clear();
      if (wanted !== undefined) this.#open();
    };
    session.subscribe(follow);
    scope.subscribe(follow);
    follow();
    document.addEventListener("visibilitychange", () => this.#visibility());
    window.addEventListener("online", () => this.retryNow());
    window.addEventListener("focus", () => this.#visibility());
    setInterval(() => {
      if (this.calls.sweep(Date.now())) this.#draw();
    }, 500);
  }

  /** Lets go of the connection until the viewer resumes. */
  pause(): void {
    this.#release({ kind: "paused", why: "viewer" });
  }

  /** Connects again and catches up. */
  resume(): void {
    if (this.#wanted !== undefined) this.#open();
  }

  /** Connects again at once. */
  retryNow(): void {
    if (this.state.get().kind === "away") this.#open();
  }

  /** Calls a listener once a frame with the events of that frame. Returns how to end that. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #visibility(): void {
    clearTimeout(this.#hiding);
    const state = this.state.get();
    if (document.hidden) {
      this.#hiding = setTimeout(() => {
        if (["paused", "refused", "off"].includes(this.state.get().kind)) return;
        this.#release({ kind: "paused", why: "hidden" });
      }, HIDDEN);
      return;
    }
    if (state.kind === "paused" && state.why !== "viewer") {
      this.#open();
      return;
    }
    if (this.#connection) this.#tabs.here();
    this.#draw();
  }

  #release(state: LiveState): void {
    this.#connection?.abort();
    this.#connection = undefined;
    this.#tabs.gone();
    this.#leftAt = Date.now();
    this.state.set(state);
  }

  #open(): void {
    this.#connection?.abort();
    const connection = new AbortController();
    this.#connection = connection;
    this.#tabs.here();
    if (Date.now() - this.#leftAt > LONG_ABSENCE) this.#cursor = undefined;
    void this.#follow(connection);
  }

  async #follow(connection: AbortController): Promise<void> {
    const current = () => this.#connection === connection;
    // The old calls are shown until the first event of the new snapshot.
    let fresh = this.#cursor === undefined;
    try {
      const events = watchCalls(api.calls, {
        request: { clientId: session.get().who?.admin ? scope.get() : undefined },
        after: this.#cursor,
        signal: connection.signal,
        now: serverNow,
        onState: (state) => {
          if (!current()) return;
          if (state.kind === "connecting") fresh = state.fresh;
          if (state.kind === "away") this.#leftAt = Date.now();
          // While it is away, a further attempt to connect is no news until it succeeds.
          if (state.kind === "connecting") {
            if (this.state.get().kind !== "away") this.state.set({ kind: "connecting" });
          } else this.state.set(state);
        },
      });
      for await (const event of events) {
        if (!current()) return;
        if (fresh) {
          fresh = false;
          this.calls.clear();
          this.#batch = undefined;
        }
        if (event.seq !== 0n) this.#cursor = event.seq;
        this.calls.apply(event);
        if (this.#batch && this.#batch.length < BATCH) this.#batch.push(event);
        else this.#batch = undefined;
        this.#draw();
      }
    } catch (error) {
      if (!current()) return;
      this.#release({ kind: "refused", error });
      if (ConnectError.from(error).code === Code.Unauthenticated) session.refuse(error);
    }
  }

  /** Draws with the next frame. A hidden tab draws nothing: browsers give it no frames. */
  #draw(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const draw = (now: number) => {
      if (now - this.#drawnAt < FRAME) {
        requestAnimationFrame(draw);
        return;
      }
      this.#drawnAt = now;
      this.#scheduled = false;
      const batch = this.#batch;
      this.#batch = [];
      this.frame.set(this.frame.get() + 1);
      if (batch?.length === 0) return;
      for (const listener of this.#listeners) listener(batch);
    };
    requestAnimationFrame(draw);
  }
}

/** The one stream of this tab. */
export const live = new Live();

/** Draws the component again with each frame in which a live call changes. */
export function useLiveFrame(): number {
  return useStore(live.frame);
}

/** Draws the component again at most once in so many milliseconds, and only if `value` has changed. */
export function useLiveValue<T extends string | number>(value: () => T): T {
  return useSyncExternalStore(live.frame.subscribe, value);
}

/**
 * Calls `refetch` after events, at most once in `every` milliseconds, and after a reconnect. `concerns` says which events
 * matter. Default: all.
 */
export function useLiveRefetch(refetch: () => unknown, every: number, concerns?: (event: CallEvent) => boolean): void {
  const latest = useRef({ refetch, concerns });
  latest.current = { refetch, concerns };
  useEffect(() => {
    let last = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = () => {
      timer = undefined;
      last = Date.now();
      latest.current.refetch();
    };
    const stop = live.listen((events) => {
      if (timer !== undefined) return;
      const { concerns } = latest.current;
      if (events && concerns && !events.some(concerns)) return;
      timer = setTimeout(run, Math.max(0, last + every - Date.now()));
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [every]);
}
