import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import Papa from "papaparse";
import { imports as i } from "../../text/en/import";

/** The largest file that is read, in bytes. All of it is kept in memory. */
export const MAX_BYTES = 200_000_000;

/** A line of the file, or what is wrong with it. */
export interface Line {
  cells: string[];
  /** Its number in an editor, from 1. */
  line: number;
  wrong?: string;
}

/** A CSV file that was read. */
export interface CsvFile {
  name: string;
  /** The SHA-256 of its bytes, in hexadecimal. */
  sha256: string;
  delimiter: string;
  heads: string[];
  lines: Line[];
}

/** What is wrong with a file as a whole. */
export class FileFault extends Error {}

const pause = () => new Promise<void>((next) => setTimeout(next));

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = sha256.create();
  const step = 2_000_000;
  for (let at = 0; at < bytes.length; at += step) {
    hash.update(bytes.subarray(at, at + step));
    if (bytes.length > step) await pause();
  }
  return bytesToHex(hash.digest());
}

/** Returns the separator that occurs most often in the first line. */
export function guessDelimiter(text: string): string {
  const first = text.slice(0, text.search(/\r?\n|$/));
  const counts = Object.keys(i.separators).map((it) => ({ it, count: first.split(it).length }));
  return counts.reduce((a, b) => (b.count > a.count ? b : a)).it;
}

/** How many line breaks a text has. */
function breaks(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/**
 * Reads a file as `trunkline import` does: empty lines are skipped, and a line with another number of columns than the
 * first is wrong.
 */
export async function readCsv(file: File, delimiter?: string): Promise<CsvFile> {
  if (file.size > MAX_BYTES) throw new FileFault(i.tooLarge(`${MAX_BYTES / 1_000_000}`));
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new FileFault(i.unreadable);
  }
  const hash = await digest(bytes);
  // Bytes that are no UTF-8 become U+FFFD, by which their line is found. A byte order mark is left out.
  const text = new TextDecoder("utf-8").decode(bytes);
  const separator = delimiter ?? guessDelimiter(text);
  // The end of a line is LF; the CR of CR LF is trimmed from its last cell.
  const parsed = Papa.parse<string[]>(text, { delimiter: separator, newline: "\n", skipEmptyLines: false });
  const quotes = new Set(parsed.errors.filter((it) => it.type === "Quotes").map((it) => it.row));
  let heads: string[] | undefined;
  const lines: Line[] = [];
  let line = 1;
  for (const [row, raw] of parsed.data.entries()) {
    const begins = line;
    for (const cell of raw) line += breaks(cell);
    line += 1;
    if (raw.length === 1 && (raw[0] === "" || raw[0] === "\r")) continue;
    const cells = raw.map((it) => it.trim());
    if (!heads) {
      heads = cells;
      continue;
    }
    const wrong = quotes.has(row)
      ? i.wrong.quote
      : cells.some((it) => it.includes("\ufffd"))
        ? i.wrong.encoding
        : cells.length !== heads.length
          ? i.wrong.length(cells.length, heads.length)
          : undefined;
    lines.push({ cells, line: begins, wrong });
    if (row % 20_000 === 19_999) await pause();
  }
  if (!heads || heads.every((it) => it === "")) throw new FileFault(i.noHeads);
  if (lines.length === 0) throw new FileFault(i.noLines);
  return { name: file.name, sha256: hash, delimiter: separator, heads, lines };
}

/** Writes the refused lines as a file that can be corrected and imported. */
export function writeRefused(file: CsvFile, refused: readonly { index: number; why: string }[]): string {
  const data = refused.map(({ index, why }) => [...(file.lines[index]?.cells ?? []), why]);
  return Papa.unparse({ fields: [...file.heads, i.reason], data }, { delimiter: file.delimiter, newline: "\n" });
}

/** Returns the id of the batch that begins after `offset` lines. It is the same as that of `trunkline import`. */
export function batchId(fileSha256: string, offset: number, label: string): bigint {
  const hash = sha256(new TextEncoder().encode(`trunkline import\n${fileSha256}\n${offset}\n${label}`));
  return BigInt.asUintN(53, new DataView(hash.buffer, hash.byteOffset).getBigUint64(0));
}
