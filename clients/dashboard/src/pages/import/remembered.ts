import { baseUrl } from "../../api/session";
import type { Mapping } from "./columns";

/** Where calls go, and how. */
export interface Options {
  mapping: Mapping;
  /** The queue to add the calls to, or an empty text for a new one. */
  queueId: string;
  name: string;
  paused: boolean;
  dids: string;
  /** Distinguishes several imports of one file. */
  label: string;
}

/** An import that this browser has begun. It only saves work: what keeps calls from being doubled is on the server. */
export interface Remembered extends Options {
  url: string;
  clientId: string;
  fileName: string;
  sha256: string;
  /** How many lines are done, of how many. */
  done: number;
  of: number;
  /** The places of the lines that were refused, so that the same batches are made again. */
  refused: number[];
}

const NAME = "trunkline.imports";
const MOST = 20;
/** More refused lines than this are not remembered; they are found by checking again. */
export const MOST_REFUSED = 5_000;

function all(): Remembered[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

const isOf = (it: Remembered, clientId: string) => it.url === baseUrl && it.clientId === clientId;

/** Remembers how far an import is, in place of what was remembered about it before. */
export function remember(it: Remembered): void {
  const others = all().filter(
    (other) => !(isOf(other, it.clientId) && other.sha256 === it.sha256 && other.label === it.label),
  );
  try {
    localStorage.setItem(NAME, JSON.stringify([it, ...others].slice(0, MOST)));
  } catch {
    // Without it, an import that is continued is checked again.
  }
}

/** Returns the last import of a file with this content. */
export function recall(clientId: string, sha256: string): Remembered | undefined {
  return all().find((it) => isOf(it, clientId) && it.sha256 === sha256);
}

/** Returns the last import of a file with this name and other content. */
export function namesake(clientId: string, fileName: string, sha256: string): Remembered | undefined {
  return all().find((it) => isOf(it, clientId) && it.fileName === fileName && it.sha256 !== sha256);
}
