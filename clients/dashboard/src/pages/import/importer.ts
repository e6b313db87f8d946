import { Code, ConnectError } from "@connectrpc/connect";
import { isLost, isRefused, type QueueItem, retryAfter, violations } from "@trunkline/client";
import { api } from "../../api/transport";
import { Store } from "../../store";
import { imports as i } from "../../text/en/import";
import { type Build, builder, fieldName } from "./columns";
import { batchId, type CsvFile } from "./csv";
import { MOST_REFUSED, type Options, type Remembered, recall, remember } from "./remembered";

/** How many calls are in a batch: the most that the server accepts. */
const BATCH = 1000;
/** How many times a batch is sent before the import stops. */
const TRIES = 8;
/** How many warnings are kept. */
const MOST_WARNINGS = 50;

/** A line that is not imported. */
export interface Refusal {
  /** The place of the line among the lines of the file, from 0. */
  index: number;
  line: number;
  field: string;
  why: string;
}

/** The progress of an import. */
export interface ImportState {
  step: "idle" | "checking" | "checked" | "importing" | "stopped" | "done";
  file?: CsvFile;
  clientId?: bigint;
  options?: Options;
  /** How many lines have been checked or sent. */
  done: number;
  refused: Refusal[];
  warnings: string[];
  /** How many calls were found to be on the server already, by the check or by the import. */
  present: number;
  inserted: number;
  queueId?: bigint;
  error?: unknown;
  /** True if an earlier import of the file had other settings. */
  conflict?: boolean;
  /** True if checking was given up because most lines are refused. */
  hopeless?: boolean;
  /** The seconds until a request is sent again. */
  retryIn?: number;
}

const IDLE: ImportState = { step: "idle", done: 0, refused: [], warnings: [], present: 0, inserted: 0 };

interface Batch {
  offset: number;
  indexes: number[];
  items: QueueItem[];
}

/** Imports a file. It goes on while other pages are open. */
class Importer extends Store<ImportState> {
  #run: AbortController | undefined;
  /** True if the server was only to check the lines when the last request was sent. */
  #checking = false;

  constructor() {
    super(IDLE);
  }

  /** Forgets the file. */
  reset(): void {
    this.#run?.abort();
    this.set(IDLE);
  }

  /** Ends the check or the import after the batch that is being sent. */
  stop(): void {
    this.#run?.abort();
  }

  /** Goes back to the columns. */
  back(): void {
    this.#run?.abort();
    this.update({ step: "idle", error: undefined, conflict: undefined, hopeless: undefined });
  }

  /** Continues with what was stopped. What is on the server already is not stored twice. */
  async resume(): Promise<void> {
    const { file, clientId, options } = this.get();
    if (!file || !options) return;
    await (this.#checking ? this.check(file, clientId, options) : this.start());
  }

  /** Lets the server check every line, and stores nothing. */
  async check(file: CsvFile, clientId: bigint | undefined, options: Options): Promise<void> {
    this.set({ ...IDLE, step: "checking", file, clientId, options });
    await this.#walk(true);
  }

  /** Stores the calls of the lines that were not refused. */
  async start(): Promise<void> {
    this.update({ step: "importing", done: 0, present: 0, inserted: 0, error: undefined, conflict: undefined });
    await this.#walk(false);
  }

  async #walk(validateOnly: boolean): Promise<void> {
    const { file, options, clientId } = this.get();
    if (!file || !options) return;
    this.#checking = validateOnly;
    const made = builder(file, options.mapping);
    if ("wrong" in made) return;
    this.#run?.abort();
    const run = new AbortController();
    this.#run = run;
    const earlier = recall(`${clientId ?? ""}`, file.sha256);
    const known = earlier && earlier.label === options.label ? new Set(earlier.refused) : new Set<number>();
    if (!validateOnly) this.update({ queueId: options.queueId ? BigInt(options.queueId) : undefined });
    let queueId = options.queueId ? BigInt(options.queueId) : undefined;
    try {
      for (let offset = 0; offset < file.lines.length; offset += BATCH) {
        // What was stored before must be sent as it was then.
        const again = !validateOnly && earlier !== undefined && offset < earlier.done;
        const batch = this.#batch(file, made.build, offset, again ? known : undefined);
        queueId = await this.#send(batch, queueId, validateOnly, run.signal);
        if (this.#run !== run) return;
        const done = Math.min(file.lines.length, offset + BATCH);
        this.update({ done, queueId: validateOnly ? undefined : queueId });
        if (!validateOnly) this.#remember(done, queueId);
        const { refused } = this.get();
        if (validateOnly && refused.length >= 500 && refused.length > done * 0.9) {
          return this.update({ step: "stopped", hopeless: true });
        }
        run.signal.throwIfAborted();
      }
      this.update({ step: validateOnly ? "checked" : "done" });
    } catch (error) {
      if (this.#run !== run) return;
      const aborted = run.signal.aborted;
      const conflict = !aborted && ConnectError.from(error).code === Code.AlreadyExists;
      this.update({ step: "stopped", error: aborted ? undefined : error, conflict, retryIn: undefined });
    }
  }

  /** Returns the calls of a batch. Batches have the same lines at every try, because the server knows them by their ids. */
  #batch(file: CsvFile, build: Build, offset: number, leftOut: Set<number> | undefined): Batch {
    const refused = new Set(this.get().refused.map((it) => it.index));
    const batch: Batch = { offset, indexes: [], items: [] };
    const found: Refusal[] = [];
    for (let index = offset; index < Math.min(file.lines.length, offset + BATCH); index++) {
      const line = file.lines[index];
      if (!line || refused.has(index)) continue;
      const built = line.wrong ? { field: "", why: line.wrong } : build(line.cells);
      if ("why" in built) {
        found.push({ index, line: line.line, ...built });
      } else if (leftOut?.has(index)) {
        found.push({ index, line: line.line, field: "", why: i.leftOut });
      } else {
        batch.indexes.push(index);
        batch.items.push(built.item);
      }
    }
    if (found.length > 0) this.update({ refused: [...this.get().refused, ...found] });
    return batch;
  }

  /** Sends a batch without the lines that the server refuses. Returns its queue, if there is one. */
  async #send(
    batch: Batch,
    queueId: bigint | undefined,
    validateOnly: boolean,
    signal: AbortSignal,
  ): Promise<bigint | undefined> {
    const { file, options, clientId } = this.get();
    if (!file || !options) return queueId;
    let wait = 500;
    for (let tried = 1; batch.items.length > 0; tried++) {
      let replayed = false;
      const isNew = queueId === undefined;
      try {
        const answer = await api.queues.insertBatch(
          {
            clientId,
            queueId,
            batchId: batchId(file.sha256, batch.offset, options.label),
            dids: options.dids
              .split("\n")
              .map((it) => it.trim())
              .filter((it) => it !== ""),
            data: batch.items,
            validateOnly,
            // Only the batch that creates the queue says what it is like.
            name: isNew && options.name.trim() !== "" ? options.name.trim() : undefined,
            paused: isNew && options.paused,
          },
          {
            onHeader: (headers) => {
              replayed = headers.has("idempotent-replayed");
            },
          },
        );
        const state = this.get();
        const warnings = answer.warnings.map((it) => byLine(it, batch, file));
        this.update({
          warnings: [...state.warnings, ...warnings].slice(0, MOST_WARNINGS),
          present: state.present + (replayed ? batch.items.length : 0),
          inserted: state.inserted + (replayed ? 0 : batch.items.length),
          retryIn: undefined,
        });
        return answer.queueId === 0n ? queueId : answer.queueId;
      } catch (error) {
        if (this.#leaveOut(batch, file, error)) {
          tried = 0;
          continue;
        }
        if (isRefused(error) || !isLost(error) || tried === TRIES) throw error;
        const delay = Math.max(wait, retryAfter(error) ?? 0);
        wait = Math.min(10_000, wait * 2);
        this.update({ retryIn: Math.ceil(delay / 1000) });
        await new Promise((next) => setTimeout(next, delay));
        signal.throwIfAborted();
      }
    }
    return queueId;
  }

  /** Leaves out the lines that the server refuses. Returns false if the error is about something else. */
  #leaveOut(batch: Batch, file: CsvFile, error: unknown): boolean {
    const found = new Map<number, Refusal>();
    for (const { field, description } of violations(error)) {
      const path = field.match(/^data\[(\d+)\]\.?(.*)$/);
      const index = path ? batch.indexes[Number(path[1])] : undefined;
      if (!path || index === undefined) return false;
      const line = file.lines[index]?.line ?? 0;
      if (!found.has(index)) found.set(index, { index, line, field: fieldName(path[2] ?? ""), why: description });
    }
    if (found.size === 0) return false;
    const kept = batch.indexes
      .map((index, n) => ({ index, item: batch.items[n] }))
      .filter((it) => !found.has(it.index));
    batch.indexes = kept.map((it) => it.index);
    batch.items = kept.flatMap((it) => it.item ?? []);
    const refused = [...this.get().refused, ...found.values()].sort((a, b) => a.index - b.index);
    this.update({ refused });
    return true;
  }

  #remember(done: number, queueId: bigint | undefined): void {
    const { file, options, clientId, refused } = this.get();
    if (!file || !options || queueId === undefined) return;
    const url = new URL(".", document.baseURI).href;
    const it: Remembered = {
      ...options,
      url,
      clientId: `${clientId ?? ""}`,
      fileName: file.name,
      sha256: file.sha256,
      done,
      of: file.lines.length,
      refused: refused.length > MOST_REFUSED ? [] : refused.map(({ index }) => index),
    };
    remember(it);
  }
}

/** Writes `data[17].deadline: …` with the line of the file in place of the path. */
function byLine(text: string, batch: Batch, file: CsvFile): string {
  const found = text.match(/^data\[(\d+)\]\.?([^\s:]*)(:? .*)$/);
  const index = found ? batch.indexes[Number(found[1])] : undefined;
  if (!found || index === undefined) return text;
  return `${i.line} ${file.lines[index]?.line}, ${fieldName(found[2] ?? "")}${found[3]}`;
}

/** The import of this tab. */
export const importer = new Importer();

window.addEventListener("beforeunload", (event) => {
  if (importer.get().step === "importing") event.preventDefault();
});
