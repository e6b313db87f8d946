import type { DoNotCallEntry } from "@trunkline/client";

/** One page of a list that is sorted by number. */
export type ReadPage = (page: number, pageSize: number) => Promise<{ results: DoNotCallEntry[]; count: bigint }>;

/**
 * Returns the form of a number in which the lists hold it, or undefined if it is none: its digits after `+` or after `00`
 * or `011`, else its digits.
 */
export function canonical(text: string): string | undefined {
  const digits = text.replace(/[\s.()/-]/g, "");
  if (!/^\+?\d+$/.test(digits)) return undefined;
  const found = digits.startsWith("+") ? digits.slice(1) : digits.replace(/^(?:00|011)(?=[1-9])/, "");
  return found.length >= 3 && found.length <= 15 ? found : undefined;
}

/** Looks for a number in a list by halving, because a list can be long. */
export async function lookUp(number: string, read: ReadPage): Promise<DoNotCallEntry | undefined> {
  const size = 500;
  const before = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  let [low, high] = [1, Number.MAX_SAFE_INTEGER];
  let page = 1;
  for (;;) {
    const { results, count } = await read(page, size);
    high = Math.min(high, Math.ceil(Number(count) / size));
    const found = results.find((it) => it.number === number);
    if (found) return found;
    const [first, last] = [results[0], results.at(-1)];
    if (!first || !last) high = page - 1;
    else if (before(number, first.number) < 0) high = page - 1;
    else if (before(number, last.number) > 0) low = page + 1;
    else return undefined;
    if (low > high) return undefined;
    page = Math.floor((low + high) / 2);
  }
}
