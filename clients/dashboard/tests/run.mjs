// Runs all stories: node tests/run.mjs [PART OF A NAME]. TRUNKLINE_BIN is the server's binary; dist must be built, unless
// EMBEDDED says that the server brings it. UPDATE_SCREENSHOTS renews docs/screenshots.
import { readdirSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const stories = fileURLToPath(new URL("stories/", import.meta.url));
const wanted = process.argv[2] ?? "";
const files = readdirSync(stories)
  .filter((file) => file.endsWith(".mjs") && file.includes(wanted))
  .sort()
  .map((file) => stories + file);
// What measures runs alone. Every file has a server and a browser of its own.
const measures = files.filter((file) => file.includes("/6"));
const others = files.filter((file) => !measures.includes(file));

for (const [files, concurrency] of [
  [others, 2],
  [measures, 1],
]) {
  if (files.length === 0) continue;
  const stream = run({ files, concurrency, timeout: 280_000 });
  stream.on("test:fail", () => {
    process.exitCode = 1;
  });
  const report = stream.compose(spec);
  report.pipe(process.stdout);
  await new Promise((ended) => report.on("end", ended));
}
