import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertAccessible } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 6 });
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "trunkline-import-"));
});
after(() => folder && rmSync(folder, { recursive: true, force: true }));

const press = (within, name) => within.getByRole("button", { name, exact: true }).click();

/** Chooses a file, and waits until its columns are shown. */
async function choose(tab, name, text) {
  const path = join(folder, name);
  writeFileSync(path, text);
  await tab.locator('input[type="file"]').setInputFiles(path);
  await tab.getByRole("heading", { name: "What the columns mean" }).waitFor();
  return path;
}

/** People with a phone number each; the lines with these numbers, from 1, are wrong in one way or another. */
function people(count, wrong = {}) {
  const lines = Array.from(
    { length: count },
    (_, n) => wrong[n + 2] ?? `Person ${n},+49301${String(n).padStart(6, "0")}`,
  );
  return `Name,Phone\n${lines.join("\n")}\n`;
}

test("a campaign of 10,000 lines is imported without the three that are refused, and never twice", async () => {
  const text = people(10_000, {
    7: "Person 5,not a number",
    5003: "Person 5001",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what Asterisk would evaluate.
    9999: '"Person, quoted",49${EVIL}',
  });
  const tab = await on.openAsClient("/import");
  await choose(tab, "campaign.csv", text);
  await assertAccessible(tab, "the columns of a file");
  // The column of the number was recognised; another becomes a variable.
  assert.equal(await tab.getByLabel("What Phone becomes").inputValue(), "contact_number");
  await press(tab, "Check 10,000 lines");
  await tab.getByText("Say which channel is dialed").waitFor();
  await tab.getByLabel("What Name becomes").selectOption({ label: "Channel variable" });
  assert.equal(await tab.getByLabel("Name of the channel variable for Name").inputValue(), "NAME");
  await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
  await tab.getByLabel("Application after the answer", { exact: true }).fill("Wait");
  await tab.getByLabel("Arguments of the application", { exact: true }).fill("5");
  await tab.getByText("PJSIP/+49301000000@carrier").waitFor();
  await tab.getByLabel("Begin paused").check();
  await tab.getByLabel("Name of the queue").fill("Ten thousand");
  await press(tab, "Check 10,000 lines");
  await tab.getByText("9,997 calls can be imported.").waitFor({ timeout: 60_000 });
  assert.equal((await on.client.get("queues/getmasterqueues")).count, 0, "nothing is stored by the check");
  await tab.getByText("3 lines are refused").waitFor();
  await assertAccessible(tab, "a file that was checked");
  const refused = tab.getByRole("region", { name: "3 lines are refused" }).getByRole("row");
  const cells = async (n) => refused.nth(n).getByRole("cell").allTextContents();
  assert.deepEqual((await cells(1)).slice(0, 2), ["7", "channel"]);
  assert.deepEqual(await cells(2), ["5003", "", "has 1 columns, and the first line has 2"]);
  assert.deepEqual((await cells(3)).slice(0, 2), ["9999", "channel"]);
  const [file] = await Promise.all([tab.waitForEvent("download"), press(tab, "Download the refused lines")]);
  assert.equal(file.suggestedFilename(), "campaign-refused.csv");
  const lines = readFileSync(await file.path(), "utf8")
    .trim()
    .split("\n");
  assert.equal(lines.length, 4);
  assert.equal(lines[0].trim(), "Name,Phone,refused_because");
  assert.match(lines[3], /^"Person, quoted",49\$\{EVIL\},/);

  await press(tab, "Import 9,997 calls");
  await tab.getByText("9,997 calls are in the queue").waitFor({ timeout: 60_000 });
  await tab.getByText("9,997 are new, 0 had been there before.").waitFor();
  const [queue] = (await on.client.get("queues/getmasterqueues")).results;
  assert.equal(queue.name, "Ten thousand");
  assert.equal(queue.counts.queued, 9_997);
  const [call] = (await on.client.get(`queues/getqueues?master_queue_id=${queue.queue_id}&page_size=1`)).results;
  assert.equal(call.contact_number, 49301000000);
  assert.deepEqual((await on.client.get(`calls/${call.call_id}`)).variables ?? { NAME: "Person 0" }, {
    NAME: "Person 0",
  });

  // The same file again, in the same browser and in one that knows nothing of it.
  await press(tab, "Choose another file");
  await choose(tab, "campaign.csv", text);
  await tab.getByText("This file was imported before").waitFor();
  await press(tab, "Check 10,000 lines");
  await tab.getByText("9,997 of them are in a queue already").waitFor({ timeout: 60_000 });
  await press(tab, "Import 9,997 calls");
  await tab.getByText("0 are new, 9,997 had been there before.").waitFor({ timeout: 60_000 });
  assert.deepEqual(tab.problems, []);
  await tab.end();

  const other = await on.openAsClient("/import");
  await choose(other, "campaign.csv", text);
  await other.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
  await other.getByLabel("Application after the answer", { exact: true }).fill("Echo");
  await press(other, "Check 10,000 lines");
  await other.getByText("These calls were imported before, with other columns").waitFor({ timeout: 30_000 });
  await other.getByText(`in queue ${queue.queue_id} with other content`).waitFor();
  await other.end();
  const after = await on.client.get("queues/getmasterqueues");
  assert.equal(after.count, 1);
  assert.equal(after.results[0].counts.queued, 9_997, "no call is doubled");
});

test("an import that is cut off is continued by the same file, without a double", async () => {
  const text = people(6_000);
  const tab = await on.openAsClient("/import");
  const fill = async () => {
    await choose(tab, "cut.csv", text);
    await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
    await tab.getByLabel("Application after the answer", { exact: true }).fill("Echo");
    await tab.getByLabel("Begin paused").check();
  };
  await fill();
  await press(tab, "Check 6,000 lines");
  await tab.getByText("6,000 calls can be imported.").waitFor({ timeout: 60_000 });
  let batches = 0;
  await tab.route(/InsertBatch/, async (route) => {
    batches += 1;
    // The third batch is stored, but its answer is lost; then the page is left.
    if (batches === 3) {
      await route.fetch();
      await route.abort();
      return;
    }
    if (batches > 3) return void (await route.abort());
    await route.continue();
  });
  await press(tab, "Import 6,000 calls");
  await tab.getByText("It is asked again in").waitFor({ timeout: 30_000 });
  await tab.unroute(/InsertBatch/);
  tab.on("dialog", (it) => it.accept());
  await tab.reload();
  const queued = async () => (await on.client.get("queues/getmasterqueues")).results.find((it) => it.name === "cut");
  assert.equal((await queued()).counts.queued, 3_000);
  await tab.at("/import");
  await choose(tab, "cut.csv", text);
  await tab.getByText("The import of this file was begun before: 2,000 of 6,000 lines.").waitFor();
  assert.equal(await tab.getByLabel("Channel to dial", { exact: true }).inputValue(), "PJSIP/{Phone}@carrier");
  await press(tab, "Check 6,000 lines");
  await tab.getByText("3,000 of them are in a queue already").waitFor({ timeout: 60_000 });
  await press(tab, "Import 6,000 calls");
  await tab.getByText("3,000 are new, 3,000 had been there before.").waitFor({ timeout: 60_000 });
  assert.equal((await queued()).counts.queued, 6_000);

  // A file of the same name with other people is not taken for it.
  await press(tab, "Choose another file");
  await choose(tab, "cut.csv", people(10));
  await tab.getByText("A file named cut.csv was imported before, with other content").waitFor();
  await tab.end();
});

test("an import is stopped and continued by click, into a queue that exists", async () => {
  const queue = await on.client.insert([4930199901], { paused: true, name: "There before" });
  const tab = await on.openAsClient("/import");
  await choose(tab, "stopped.csv", people(5_000));
  await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
  await tab.getByLabel("Application after the answer", { exact: true }).fill("Echo");
  await tab.getByLabel("The calls go into").selectOption(`${queue}`);
  await press(tab, "Check 5,000 lines");
  await tab.getByText("5,000 calls can be imported.").waitFor({ timeout: 60_000 });
  // The answer to the second batch comes once the stop was clicked.
  let release;
  const clicked = new Promise((resolve) => {
    release = resolve;
  });
  let batches = 0;
  await tab.route(/InsertBatch/, async (route) => {
    if (++batches === 2) await clicked;
    await route.continue();
  });
  await press(tab, "Import 5,000 calls");
  await tab.getByText("1,000 of 5,000 lines").first().waitFor();
  await press(tab, "Stop");
  release();
  await tab.getByText("The import has stopped").waitFor();
  await tab.getByText("2,000 of 5,000 lines are done.").waitFor();
  const queued = async () => (await on.client.get(`queues/getqueuemaster/${queue}`)).counts.queued;
  assert.equal(await queued(), 2_001);
  await press(tab, "Continue");
  // Another page is opened meanwhile.
  await tab.at("/queues");
  await tab.getByRole("heading", { name: "Queues" }).waitFor();
  await tab.at("/import");
  await tab.getByText("3,000 are new, 2,000 had been there before.").waitFor({ timeout: 60_000 });
  assert.equal(await queued(), 5_001);
  await tab.getByRole("link", { name: "Open the queue" }).click();
  await tab.getByRole("heading", { name: "There before" }).waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("an administrator imports for a client, and the audit says so", async () => {
  const tab = await on.open("/import");
  await tab.locator("main").getByRole("combobox", { name: "Client" }).selectOption({ label: "sandbox" });
  await choose(tab, "for-a-client.csv", people(3));
  await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
  await tab.getByLabel("Application after the answer", { exact: true }).fill("Echo");
  await tab.getByLabel("Begin paused").check();
  await press(tab, "Check 3 lines");
  await tab.getByText("3 calls can be imported.").waitFor();
  await press(tab, "Import 3 calls");
  await tab.getByText("3 are new, 0 had been there before.").waitFor();
  const [queue] = (await on.client.get("queues/getmasterqueues")).results;
  assert.equal(queue.name, "for-a-client");
  assert.equal((await on.admin.get("admin/audit?page_size=1")).results[0].action, "InsertBatch");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("checking ends early if nearly all lines are refused", async () => {
  const tab = await on.openAsClient("/import");
  const lines = Array.from({ length: 3_000 }, (_, n) => `none ${n}`);
  await choose(tab, "hopeless.csv", `Phone\n${lines.join("\n")}\n`);
  await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
  await tab.getByLabel("Application after the answer", { exact: true }).fill("Echo");
  await press(tab, "Check 3,000 lines");
  await tab.getByText("Checking was stopped, because most lines are refused.").waitFor({ timeout: 60_000 });
  await tab.getByText("1,000 lines are refused").waitFor();
  await tab.getByText("and 950 more, all of which are in the download").waitFor();
  await press(tab, "Change the columns");
  await tab.getByRole("heading", { name: "What the columns mean" }).waitFor();
  await tab.end();
});

/** What is wrong with lines of this file is found by the command line and by the page alike. */
const LINES = `phone,retry,deadline,create_recording,zone,note
+493012345,1,2030-01-31T18:00:00Z,yes,Europe/Berlin,fine
+493012346,x,,,,
+493012347,,tomorrow,,,
+493012348,,2030-02-30T10:00:00Z,,,
+493012349,,2030-01-31 18:00,maybe,,
+493012350,,2030-01-31,,,
,,,,,no number
+493012351,101,,,,
+493012352,,,,Mars/Olympus,
+493012353,-1,,,,
12ab,,,,,
+493012354,+2,2030-01-31T18:00:00.5+01:00,TRUE,,"a ""quote"""

+493012355,1,,0,,"two
lines"
+493012356,99999999999,,,,
+493012357,1,,,,,
+49301235800000000000,,,,,
`;

test("the page and `trunkline import` refuse the same lines", async () => {
  const path = join(folder, "lines.csv");
  writeFileSync(path, LINES);
  const args = [
    "--server",
    "server1",
    "--map",
    "contact_number=phone",
    "--map",
    "time_zone=zone",
    "--map",
    "var.NOTE=note",
  ];
  const texts = ["--set", "channel=PJSIP/{phone}@carrier", "--set", "application=Echo"];
  const importing = (file, ...more) => {
    try {
      execFileSync(process.env.TRUNKLINE_BIN, ["import", file, "--url", on.server.url, ...args, ...texts, ...more], {
        env: { ...process.env, TRUNKLINE_API_KEY: on.server.clientKey },
        stdio: "pipe",
        encoding: "utf8",
      });
      return [];
    } catch (error) {
      return [...error.stderr.matchAll(/line (\d+)/g)].map((it) => Number(it[1]));
    }
  };
  // The command stops at the first batch that is refused: so what it refuses by itself is taken out first.
  const malformed = new Set(importing(path, "--dry-run"));
  assert.ok(malformed.size >= 4, [...malformed].join());
  const kept = LINES.split("\n").map((line, n) => (malformed.has(n + 1) ? "" : line));
  const rest = join(folder, "rest.csv");
  writeFileSync(rest, kept.join("\n"));
  const refused = new Set([...malformed, ...importing(rest, "--validate")]);

  const tab = await on.openAsClient("/import");
  await choose(tab, "lines.csv", LINES);
  await tab.getByLabel("What zone becomes").selectOption({ label: "Time zone" });
  await tab.getByLabel("What note becomes").selectOption({ label: "Channel variable" });
  await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{phone}@carrier");
  await tab.getByLabel("Application after the answer", { exact: true }).fill("Echo");
  await tab.getByRole("button", { name: /^Check \d+ lines/ }).click();
  const region = tab.getByRole("region", { name: /lines are refused/ });
  await tab.getByText(/calls can be imported/).waitFor();
  const rows = await region.getByRole("row").locator("td:first-child").allTextContents();
  assert.deepEqual(
    rows.map(Number),
    [...refused].sort((a, b) => a - b),
  );
  await tab.end();
});

test("files that are no CSV, columns that mean the same, and a wrong server are explained", async () => {
  const tab = await on.openAsClient("/import");
  const put = async (name, text) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    await tab.locator('input[type="file"]').setInputFiles(path);
  };
  await put("empty.csv", "");
  await tab.getByText("The first line of the file is empty.").waitFor();
  await put("heads.csv", "Phone\n");
  await tab.getByText("The file has no lines below its first one.").waitFor();
  // A spreadsheet of central Europe: semicolons, CR LF, and bytes that are no UTF-8.
  await choose(tab, "latin.csv", Buffer.from("Phone;Name\r\n+49301;M\xfcller\r\n+49302345;Meier\r\n", "latin1"));
  assert.equal(await tab.getByLabel("Columns are separated by").inputValue(), ";");
  await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phne}@carrier");
  await press(tab, "Check 2 lines");
  await tab.getByText("There is no column “Phne”.").waitFor();
  await tab.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
  await tab.getByLabel("What Name becomes").selectOption({ label: "Number of the called person" });
  await press(tab, "Check 2 lines");
  await tab.getByText("“Number of the called person” is given twice.").waitFor();
  await tab.getByLabel("What Name becomes").selectOption({ label: "Ignored" });
  await tab.getByLabel("Application after the answer", { exact: true }).fill("System");
  await press(tab, "Check 2 lines");
  await tab.getByText("None of the lines can be imported.").waitFor();
  await tab.getByText("is not UTF-8").waitFor();
  await tab.getByText("application System cannot be granted").waitFor();
  await press(tab, "Change the columns");
  await tab.getByLabel("Application after the answer", { exact: true }).fill("Echo");
  await press(tab, "Check 2 lines");
  await tab.getByText("1 calls can be imported.").waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});
