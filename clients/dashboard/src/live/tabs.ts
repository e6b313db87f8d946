/*
 * Over HTTP/1.1, a browser opens six connections to a host, for all of its tabs together, and each tab's stream takes
 * one. A seventh tab could not even load. So at most four tabs have a stream; when another one is looked at, the one that
 * was looked at longest ago lets go of its own.
 */

/** The tabs that may have a stream at one time. Two connections are left for everything else. */
const MOST = 4;

type Message =
  /** This tab has a stream, and was last looked at then. */
  { kind: "here"; tab: string; seen: number } | { kind: "gone"; tab: string };

/** What the tabs of this browser know of each other. */
export class Tabs {
  readonly #tab = Array.from(crypto.getRandomValues(new Uint32Array(2)), (it) => it.toString(36)).join("");
  readonly #channel: BroadcastChannel | undefined;
  readonly #others = new Map<string, number>();
  #seen = 0;
  #streams = false;

  /** `onSurplus` is called when this tab is the one that has to let go. */
  constructor(onSurplus: () => void) {
    // HTTP/2 carries any number of streams on one connection. Browsers speak it only over TLS.
    const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    if (/^h[23]/.test(page?.nextHopProtocol ?? "") || typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel("trunkline");
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === "gone") {
        this.#others.delete(data.tab);
        return;
      }
      const isNew = !this.#others.has(data.tab);
      this.#others.set(data.tab, data.seen);
      if (!this.#streams) return;
      if (isNew) this.#say();
      const earlier = [...this.#others.values()].filter((seen) => seen < this.#seen).length;
      if (this.#others.size >= MOST && earlier === 0) onSurplus();
    };
    window.addEventListener("pagehide", () => this.gone());
  }

  /** This tab is about to have a stream, because it is looked at. */
  here(): void {
    this.#streams = true;
    this.#seen = Date.now();
    this.#say();
  }

  /** This tab has no stream any more. */
  gone(): void {
    if (!this.#streams) return;
    this.#streams = false;
    this.#channel?.postMessage({ kind: "gone", tab: this.#tab } satisfies Message);
  }

  #say(): void {
    this.#channel?.postMessage({ kind: "here", tab: this.#tab, seen: this.#seen } satisfies Message);
  }
}
