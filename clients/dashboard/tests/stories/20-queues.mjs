import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { numbers } from "../lib/api.mjs";
import { until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 10 });

test("a campaign is paused and resumed by click, and watched from its first call to its end", async () => {
  const tab = await on.openAsClient("/queues");
  await tab.getByText("No queue yet").waitFor();
  // Calls that are live when the queue is paused go on; so the pause is clicked while many still wait.
  const queue = await on.client.insert(numbers(120), { name: "Watched", rules: { calls_per_second: 15 } });
  const row = tab.getByRole("row", { name: /Watched/ });
  await row.waitFor();
  await row.getByText(/of 120/).waitFor();
  await row.getByRole("button", { name: "Pause: Watched" }).click();
  await row.getByText("Paused").waitFor();
  assert.equal((await on.client.get(`queues/getqueuemaster/${queue}`)).queue_status, "paused");
  await row.getByRole("button", { name: "Resume: Watched" }).click();
  await row.getByText("In progress").waitFor();
  await row.getByRole("link").click();
  await tab.getByRole("heading", { name: "Watched" }).waitFor();
  await tab.getByText("The queue’s pace").or(tab.getByText("Ready to be dialed")).first().waitFor();
  await tab.getByText("Completed").first().waitFor({ timeout: 60_000 });
  await until(async () => (await tab.locator("main").innerText()).includes("Nothing waits"), "nothing waits", 60_000);
  await tab.at(`/queues/${queue}?tab=calls`);
  await tab.getByText("120 calls", { exact: true }).waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("what holds calls back is explained, and its limit is raised by following the link", async () => {
  const queue = await on.client.insert(numbers(40, "06", 49310000), { name: "Held", rules: { max_live_calls: 3 } });
  const tab = await on.openAsClient(`/queues/${queue}`);
  await tab.getByText("The queue has as many live calls as allowed").waitFor();
  await tab.getByText("3 live now").waitFor();
  await tab.getByRole("link", { name: /Change it/ }).click();
  const limit = tab.getByLabel("Live calls", { exact: true });
  await until(() => limit.evaluate((it) => it === document.activeElement), "the setting has the focus");
  assert.equal(await limit.inputValue(), "3");
  await limit.fill("0");
  await limit.blur();
  await tab.getByText("At least 1.").waitFor();
  await limit.fill("8");
  await tab.getByRole("button", { name: "Save the rules" }).click();
  await tab.getByText("The rules apply now.").waitFor();
  assert.equal((await on.client.get(`queues/${queue}/rules`)).max_live_calls, 8);
  await tab.at(`/queues/${queue}`);
  await tab.getByText("8 live now").waitFor();
  // All that wait are canceled, and those that are live hung up.
  await tab.getByRole("button", { name: "Cancel the queue" }).click();
  await tab.getByLabel("Hang up the live calls, too (8)").check();
  await tab.getByRole("dialog").getByRole("button", { name: "Cancel the queue" }).click();
  await tab.getByText("32 calls were canceled.").waitFor();
  await tab.getByText("Nothing waits").waitFor();
  await until(async () => (await on.client.get(`queues/getqueuemaster/${queue}`)).counts.answered === 0, "all hung up");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("calling windows and rules for retries are set in the form", async () => {
  const queue = await on.client.insert(numbers(5, "10", 49311000), { name: "Ruled", paused: true });
  const tab = await on.openAsClient(`/queues/${queue}?tab=rules`);
  await tab.getByRole("button", { name: "Add a window" }).click();
  await tab.getByLabel("Time zone").selectOption("Europe/Berlin");
  await tab.getByLabel("From").fill("03:00");
  await tab.getByLabel("To", { exact: true }).fill("03:01");
  await tab.getByText("Sun", { exact: true }).click();
  await tab.getByRole("button", { name: "Add a rule" }).click();
  await tab.getByLabel("Attempts", { exact: true }).fill("2");
  await tab.getByLabel("Delay").fill("60");
  await tab.getByLabel("Further attempts").fill("1");
  await tab.getByRole("button", { name: "Save the rules" }).click();
  await tab.getByText("The rules apply now.").waitFor();
  const rules = await on.client.get(`queues/${queue}/rules`);
  assert.equal(rules.windows.time_zone, "Europe/Berlin");
  assert.deepEqual(rules.windows.windows[0].days, ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]);
  assert.deepEqual(
    [rules.retry_rules[0].outcome, rules.retry_rules[0].max_retries, rules.retry_rules[0].delay],
    ["busy", 2, 60],
  );
  assert.equal((await on.client.get(`queues/getqueuemaster/${queue}`)).retry_count, 1);
  // A window that closes before it opens is refused by the server, and the form stays as it is.
  await tab.getByLabel("To", { exact: true }).fill("02:00");
  await tab.getByRole("button", { name: "Save the rules" }).click();
  await tab
    .getByRole("alert")
    .getByText(/Correct the values/)
    .waitFor();
  assert.equal(await tab.getByLabel("To", { exact: true }).inputValue(), "02:00");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a thousand failed calls are counted, confirmed and retried", async () => {
  const all = [...numbers(1000, "04", 49320000), ...numbers(20, "10", 49340000)];
  const queue = await on.client.insert(all, { name: "Failing", seconds: 1 });
  await until(
    async () => (await on.client.get(`queues/getqueuemaster/${queue}`)).counts.failed === 1000,
    "all have failed",
    60_000,
  );
  const tab = await on.openAsClient(`/queues/${queue}`);
  // By cause, with a link to exactly these calls.
  await tab.getByText("Unallocated (unassigned) number").waitFor();
  await tab.getByRole("link", { name: "Show: No such number" }).click();
  await tab.getByText("1,000 calls", { exact: true }).waitFor();
  assert.match(tab.url(), /status=7&outcome=5/);
  await tab.getByRole("button", { name: "Retry failed" }).click();
  const dialog = tab.getByRole("dialog");
  await dialog.getByText("1,000 failed calls match.").waitFor();
  const go = dialog.getByRole("button", { name: "Retry 1,000 calls" });
  assert.ok(await go.isDisabled(), "so many are not retried without typing their number");
  await dialog.getByLabel("Type 1000 to confirm").fill("1000");
  await go.click();
  await dialog.getByText("1,000 calls wait for another attempt.").waitFor({ timeout: 30_000 });
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await until(async () => {
    const { results } = await on.client.get(`queues/getqueues?master_queue_id=${queue}&page_size=1`);
    return results[0].attempts === 2;
  }, "they are dialed again");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("what is shown is exported, with exact ids and no formulas", async () => {
  const big = 9_007_199_254_740_993n;
  const body = `{"batch_id":${big},"name":"Exported","paused":true,"data":[{"asterisk_server_code":"server1","contact_number":4930123456,"project":"=1+1","action":{"Action":"Originate","Channel":"PJSIP/4930123456@carrier","Application":"Wait","Data":"1"}}]}`;
  const answer = await fetch(`${on.server.url}calling/api/v1/queues/insertdataincallqueue`, {
    method: "POST",
    headers: { "X-API-KEY": on.server.clientKey, "content-type": "application/json" },
    body,
  });
  const queue = (await answer.json()).data.queue_id;
  const tab = await on.openAsClient(`/queues/${queue}?tab=calls`);
  await tab.getByText("1 calls", { exact: true }).waitFor();
  const [file] = await Promise.all([tab.waitForEvent("download"), tab.getByLabel("Export").selectOption("csv")]);
  const csv = readFileSync(await file.path(), "utf8");
  assert.match(csv, /^call_id,queue_id,batch_id,contact_number,/);
  assert.ok(csv.includes(`,${big},4930123456,`), csv);
  assert.ok(csv.includes(",'=1+1,"), csv);
  const [lines] = await Promise.all([tab.waitForEvent("download"), tab.getByLabel("Export").selectOption("jsonl")]);
  assert.equal(JSON.parse(readFileSync(await lines.path(), "utf8")).batch_id, `${big}`);
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a change that the server refuses stays on the page with what to do", async () => {
  const queue = await on.client.insert(numbers(1, "10", 49350000), { name: "Ended", paused: true });
  const tab = await on.openAsClient(`/queues/${queue}`);
  const resume = tab.getByRole("button", { name: "Resume" }).first();
  await resume.waitFor();
  // The tab hears nothing of what happens now.
  await tab.getByRole("button", { name: /Live updates/ }).click();
  await tab.getByRole("button", { name: "Pause updates" }).click();
  await tab.keyboard.press("Escape");
  await on.client.post(`queues/${queue}/cancel`);
  await on.client.delete(`queues/${queue}`);
  await resume.click();
  await tab.getByText("Its state has changed meanwhile. Look at it again.").waitFor();
  await tab.getByText("This queue was deleted.").waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});
