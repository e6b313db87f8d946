import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 20 });

const ended = (queue, count) =>
  until(async () => {
    const { counts } = await on.client.get(`queues/getqueuemaster/${queue}`);
    return counts.completed + counts.failed === count;
  }, "the calls have ended");

test("a person’s number is found in any spelling, and its history is shown", async () => {
  const each = { labels: { campaign: "winter" }, project: "north" };
  const first = await on.client.insert([4930555010], { name: "One", each, seconds: 1 });
  const second = await on.client.insert([4930555010, 4930555111], { name: "Two", each, seconds: 1 });
  await ended(first, 1);
  await ended(second, 2);
  const tab = await on.openAsClient("/");
  await tab.getByRole("heading", { name: "Overview" }).waitFor();
  await tab.keyboard.press("/");
  await tab.keyboard.type("+49 30 555-010");
  await tab.keyboard.press("Enter");
  const table = tab.getByRole("table", { name: /Calls to/ });
  await until(async () => (await table.getByRole("row").count()) === 3, "both calls to the number");
  await table.getByRole("link", { name: "4930555010" }).first().click();
  await tab.getByRole("heading", { name: "Call to 4930555010" }).waitFor();
  await tab.getByText("Attempt 1", { exact: true }).waitFor();
  await tab.getByRole("link", { name: "All calls to this number" }).click();
  await until(async () => (await table.getByRole("row").count()) === 3, "its history");
  await tab.at(`/find?${new URLSearchParams({ q: "campaign:winter" })}`);
  await until(async () => (await tab.getByRole("table").first().getByRole("row").count()) === 4, "by label");
  await tab.at("/find?q=north");
  await tab.getByRole("table", { name: /of the project north/ }).waitFor();
  const [call] = (await on.client.get("calls?contact_number=4930555111")).results;
  await tab.at(`/find?q=${call.call_id.slice(0, 30)}`);
  await tab
    .getByRole("table", { name: /whose id begins with/ })
    .getByRole("link", { name: "4930555111" })
    .waitFor();
  await tab.at(`/find?q=${call.call_id}`);
  await tab.getByRole("heading", { name: "Call to 4930555111" }).waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a call’s attempts, causes and notes are shown, and it is copied over plain http", async () => {
  const queue = await on.client.insert([4930556001, 4930556009], {
    name: "Tried twice",
    each: { retry: 1 },
    rules: { retry_rules: [{ outcome: "busy", delay: 1 }] },
  });
  await ended(queue, 2);
  const [busy] = (await on.client.get("calls?contact_number=4930556001")).results;
  const tab = await on.openAsClient(`/calls/${busy.call_id}`);
  await tab.getByText("Attempt 2", { exact: true }).waitFor();
  await tab.getByText("User busy (17)").first().waitFor();
  // Without a clipboard, as browsers have none over plain http.
  await tab.evaluate(() => {
    Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
    document.addEventListener("copy", () => {
      window.copied = document.activeElement.value;
    });
  });
  await tab.getByRole("button", { name: "Copy the call as JSON" }).click();
  await tab.getByText("Copied").waitFor();
  const copied = JSON.parse(await tab.evaluate(() => window.copied));
  assert.equal(copied.call_id, busy.call_id);
  assert.equal(copied.attempt_history.length, 2);
  await tab.getByRole("button", { name: "Copy a curl command that fetches the call" }).click();
  const curl = await tab.evaluate(() => window.copied);
  assert.ok(curl.includes(busy.call_id) && !curl.includes(on.server.clientKey), "the key is not copied");
  await tab.getByRole("button", { name: "Dial again" }).click();
  await tab.getByRole("dialog").getByRole("button", { name: "Dial again" }).click();
  await tab.getByText("Attempt 3", { exact: true }).waitFor();
  const [noted] = (await on.client.get("calls?contact_number=4930556009")).results;
  await tab.at(`/calls/${noted.call_id}`);
  await tab.getByRole("heading", { name: "Call to 4930556009" }).waitFor();
  await tab.getByText("Note", { exact: true }).first().waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a call that waits is changed and canceled", async () => {
  await on.client.insert([4930557010, 4930557110], { name: "Waiting", paused: true });
  const [call] = (await on.client.get("calls?contact_number=4930557110")).results;
  const tab = await on.openAsClient(`/calls/${call.call_id}`);
  await tab.getByRole("button", { name: "Change", exact: true }).click();
  await tab.getByLabel("Further attempts").fill("101");
  await tab.getByRole("button", { name: "Save" }).click();
  await tab.getByText("At most 100.").waitFor();
  await tab.getByLabel("Further attempts").fill("");
  await tab.getByLabel("Deadline").fill("2031-01-02T03:04");
  await tab.getByRole("button", { name: "Save" }).click();
  await tab.getByText("The call was changed.").waitFor();
  assert.match((await on.client.get(`calls/${call.call_id}`)).deadline, /^2031-01-0/);
  await tab.getByRole("button", { name: "Cancel the call" }).click();
  await tab.getByRole("dialog").getByRole("button", { name: "Cancel the call" }).click();
  await tab.getByText("Canceled").first().waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("times are shown in the viewer’s zone or in UTC", async () => {
  const tab = await on.openAsClient("/find?q=4930555111", { timezoneId: "Asia/Tokyo" });
  await tab.getByRole("link", { name: "4930555111" }).first().click();
  const time = tab.locator("main time").first();
  await time.waitFor();
  const local = await time.innerText();
  await tab.getByLabel("Times").selectOption("utc");
  await until(async () => (await time.innerText()) !== local, "the time is written in UTC");
  assert.match(await time.getAttribute("title"), /UTC$/);
  const hour = (text) => Number(text.split(":")[0]);
  assert.equal((hour(local) + 24 - hour(await time.innerText())) % 24, 9);
  await tab.end();
});
