import assert from "node:assert/strict";
import { test } from "node:test";
import { numbers } from "../lib/api.mjs";
import { until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 4 });

const rows = (tab) =>
  tab
    .getByRole("row")
    .count()
    .then((count) => count - 1);

test("the connection is cut, and the table catches up with no call missing", async () => {
  const tab = await on.openAsClient("/live");
  await tab.state("live");
  await on.client.insert(numbers(8, "06", 49400000), { name: "Before" });
  await until(async () => (await rows(tab)) === 8, "the first calls are live");
  const answered = async () => (await on.client.get("calls?status=answered&page_size=100")).results;
  await until(async () => (await answered()).length === 8, "they are answered");
  const live = await answered();
  on.site.cut();
  await tab.state("away");
  // Meanwhile, calls begin and others end.
  await on.client.insert(numbers(10, "06", 49410000), { name: "Meanwhile" });
  for (const call of live.slice(0, 3)) await on.client.post(`calls/${call.call_id}/hangup`);
  await until(async () => (await answered()).length === 15, "the server has 15 live calls");
  on.site.mend();
  await tab.state("live");
  await until(async () => (await rows(tab)) === 15, "exactly the live calls are in the table");
  await tab.getByText(/^15 live/).waitFor();
  const shown = await tab
    .getByRole("row")
    .getByRole("link")
    .evaluateAll((links) => links.map((it) => it.href.split("/").at(-1)));
  const known = (await answered()).map((it) => it.call_id);
  assert.deepEqual(shown.filter((it) => it.includes("-")).sort(), known.sort());
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("paused updates change nothing in sight, and resuming catches up", async () => {
  const tab = await on.openAsClient("/live");
  await tab.state("live");
  await until(async () => (await rows(tab)) === 15, "the live calls");
  const toggle = async (name) => {
    await tab.getByRole("button", { name: /Live updates/ }).click();
    await tab.getByRole("button", { name }).click();
    await tab.keyboard.press("Escape");
  };
  await toggle("Pause updates");
  await tab.state("paused");
  await on.client.insert(numbers(2, "06", 49420000), { name: "While paused" });
  await until(
    async () => (await on.client.get("calls?status=answered&page_size=100")).results.length === 17,
    "two more are live",
  );
  assert.equal(await rows(tab), 15);
  await toggle("Resume updates");
  await until(async () => (await rows(tab)) === 17, "the table caught up");
  await tab.end();
});

test("a hidden tab lets go of its connection after a minute, and catches up when it is looked at", async () => {
  const tab = await on.openAsClient("/live");
  await tab.state("live");
  await until(async () => (await rows(tab)) === 17, "the live calls");
  await tab.clock.install();
  const hide = (hidden) =>
    tab.evaluate((is) => {
      Object.defineProperty(document, "hidden", { value: is, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await hide(true);
  await tab.clock.fastForward(50_000);
  await tab.state("live");
  await tab.clock.fastForward(11_000);
  await tab.state("paused");
  const [call] = (await on.client.get("calls?contact_number=4942000106")).results;
  await on.client.post(`calls/${call.call_id}/hangup`);
  await hide(false);
  await tab.state("live");
  await tab.clock.resume();
  await until(async () => (await rows(tab)) === 16, "the call that ended meanwhile is gone");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a call is hung up from the table, and its row leaves by itself", async () => {
  const tab = await on.openAsClient("/live?q=4942000006");
  await until(async () => (await rows(tab)) === 1, "the filter of the address holds");
  await tab.getByRole("button", { name: "Hang up: 4942000006" }).click();
  await tab.getByRole("dialog").getByRole("button", { name: "Hang up" }).click();
  await tab.getByText("The call is being hung up.").waitFor();
  await tab.getByText("No live call matches").waitFor();
  const [call] = (await on.client.get("calls?contact_number=4942000006")).results;
  assert.equal(call.status, "completed");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("the table is used by keyboard alone", async () => {
  const tab = await on.openAsClient("/live");
  await until(async () => (await rows(tab)) === 15, "the live calls");
  await tab.keyboard.press("/");
  assert.equal(await tab.evaluate(() => document.activeElement?.getAttribute("aria-label")), "Find a call or queue");
  await tab.keyboard.press("Escape");
  await tab.getByRole("table").focus();
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("ArrowDown");
  await until(
    () => tab.evaluate(() => document.activeElement?.getAttribute("aria-rowindex") === "3"),
    "the second row",
  );
  await tab.keyboard.press("End");
  await until(() => tab.evaluate(() => document.activeElement?.getAttribute("aria-rowindex") === "16"), "the last row");
  await tab.keyboard.press("Enter");
  await tab.getByRole("heading", { name: /^Call to/ }).waitFor();
  await until(() => tab.evaluate(() => document.activeElement?.tagName === "H1"), "the heading has the focus");
  await tab.getByRole("button", { name: "Hang up" }).click();
  await tab.keyboard.press("Escape");
  assert.equal(await tab.getByRole("dialog").count(), 0);
  await tab.end();
});

test("administrators choose a client, and the kill switch is in sight", async () => {
  const tab = await on.open("/live");
  await until(async () => (await rows(tab)) === 15, "all live calls");
  await on.admin.post("admin/clients", { name: "Quiet", account_code: "quiet" });
  await tab.reload();
  await tab.getByLabel("Client").selectOption({ label: "Quiet" });
  await tab.getByText("No call is live").waitFor();
  await tab.getByLabel("Client").selectOption({ label: "All clients" });
  await until(async () => (await rows(tab)) === 15, "all live calls again");
  await tab.getByRole("button", { name: "Dialing allowed" }).click();
  await tab.getByLabel("Reason").fill("A test of the switch");
  await tab.getByRole("button", { name: "Stop all dialing" }).click();
  await tab.getByRole("button", { name: "Kill switch engaged" }).waitFor();
  const queue = await on.client.insert(numbers(3, "10", 49430000), { name: "Stopped" });
  await tab.at(`/queues/${queue}`);
  await tab.getByText("The kill switch is engaged", { exact: true }).waitFor();
  await tab.getByRole("button", { name: "Kill switch engaged" }).click();
  await tab
    .getByRole("dialog")
    .getByText(/A test of the switch/)
    .waitFor();
  await tab.getByRole("button", { name: "Allow dialing again" }).click();
  await tab.getByText("Nothing waits").waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});
