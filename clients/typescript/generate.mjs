// Makes src/gen from the protos, and src/api.ts, which exports all of it: npm run generate
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";

process.chdir(import.meta.dirname);
const template = {
  version: "v2",
  // Files that an earlier version made and this one does not are removed.
  clean: true,
  inputs: [{ directory: "../../proto" }],
  plugins: [{ local: "protoc-gen-es", out: "src/gen", opt: ["target=ts", "import_extension=js"] }],
};
execFileSync("buf", ["generate", "--template", JSON.stringify(template)], { stdio: "inherit" });
const modules = readdirSync("src/gen/trunkline/v1").sort();
const lines = modules.map((file) => `export * from "./gen/trunkline/v1/${file.replace(/\.ts$/, ".js")}";`);
writeFileSync(
  "src/api.ts",
  `// Every message, enum and service of the API. Made by generate.mjs.\n${lines.join("\n")}\n`,
);
