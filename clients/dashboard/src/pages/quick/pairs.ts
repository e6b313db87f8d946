import { quick as q } from "../../text/en/quick";

/** Reads lines of the form `name=value`. Returns what is wrong with the first line that is of another form. */
export function readPairs(text: string): { pairs: Record<string, string>; wrong?: string } {
  const pairs: Record<string, string> = {};
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const at = line.indexOf("=");
    const name = line.slice(0, at).trim();
    if (at < 1 || name === "") return { pairs, wrong: q.pairWrong(line.trim()) };
    if (Object.hasOwn(pairs, name)) return { pairs, wrong: q.pairTwice(name) };
    pairs[name] = line.slice(at + 1);
  }
  return { pairs };
}
