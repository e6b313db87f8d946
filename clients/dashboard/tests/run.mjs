// Runs all stories, one file after the other: node tests/run.mjs [PART OF A NAME]. TRUNKLINE_BIN is the server's binary;
// dist must be built.
import { readdirSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const stories = fileURLToPath(new URL("stories/", import.meta.url));
const wanted = process.argv[2] ?? "";
const files = readdirSync(stories)
  .sort()
  .filter((file) => file.endsWith(".mjs") && file.includes(wanted))
  .map((file) => stories + file);
run({ files, concurrency: 1, timeout: 240_000 })
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .compose(spec)
  .pipe(process.stdout);
