import assert from "node:assert/strict";
import { test } from "node:test";
import { api } from "../lib/api.mjs";
import { assertAccessible, openTab, until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

// Below a path prefix, as behind a proxy.
const on = stage({ prefix: "/phone/calls/" });

const enter = async (tab, key, remember) => {
  await tab.getByLabel("API key").fill(key);
  if (remember) await tab.getByLabel("Remember on this computer").check();
  await tab.getByRole("button", { name: "Sign in" }).click();
};

test("a wrong key is refused with a reason, and a right one opens the overview", async () => {
  const tab = await openTab(on.browser, on.site.url);
  await tab.getByRole("button", { name: "Sign in" }).click();
  await tab.getByText("Enter a key.").waitFor();
  await enter(tab, "tl_wrong");
  await tab.getByText("The server refused the key.").waitFor();
  await assertAccessible(tab, "the sign-in page");
  await enter(tab, on.server.clientKey);
  await tab.getByRole("heading", { name: "Overview" }).waitFor();
  await tab.state("live");
  assert.equal(await tab.evaluate(() => localStorage.getItem("trunkline.key")), null, "the key ends with the tab");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a remembered key opens the next tab, and signing out forgets it", async () => {
  const tab = await openTab(on.browser, on.site.url);
  await enter(tab, on.server.clientKey, true);
  await tab.getByRole("heading", { name: "Overview" }).waitFor();
  const next = await tab.context().newPage();
  await next.goto(on.site.url);
  await next.getByRole("heading", { name: "Overview" }).waitFor();
  await next.getByRole("button", { name: "Sign out" }).click();
  await next.getByLabel("API key").waitFor();
  assert.equal(await next.evaluate(() => localStorage.getItem("trunkline.key")), null);
  await tab.end();
});

test("an empty server says what to do on every page", async () => {
  const tab = await openTab(on.browser, on.site.url, on.server.clientKey);
  await tab.getByText("Nothing is being dialed").waitFor();
  await tab.at("/queues");
  await tab.getByText("No queue yet").waitFor();
  await tab.at("/live");
  await tab.getByText("No call is live").waitFor();
  await tab.at("/find?q=4930999999");
  await tab.getByText("Nothing was found for “4930999999”").waitFor();
  await tab.at("/queues/424242");
  await tab.getByText("This queue does not exist").waitFor();
  await tab.at("/calls/01a21e3d-5b7b-707e-a4b7-57c0a7475de3");
  await tab.getByText("This call does not exist").waitFor();
  await tab.at("/nowhere");
  await tab.getByText("The address is wrong").waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a key that may only read can change nothing, also by hand-made requests", async () => {
  const admin = api(on.server, on.server.adminKey);
  const [client] = (await admin.get("admin/clients")).results;
  const { api_key: key } = await admin.post(`admin/clients/${client.client_id}/keys`, { scope: "read" });
  const write = api(on.server, on.server.clientKey);
  const queue = await write.insert([4930000106], { paused: true, name: "Not to be touched" });
  const tab = await openTab(on.browser, `${on.site.url}#/queues/${queue}`, key);
  await tab.getByRole("heading", { name: "Not to be touched" }).waitFor();
  await tab.getByText("read only").waitFor();
  for (const name of ["Resume", "Complete", "Cancel the queue"]) {
    assert.equal(await tab.getByRole("button", { name, exact: true }).count(), 0, `there is no button ${name}`);
  }
  assert.equal(await tab.getByRole("link", { name: "Quick call" }).count(), 0);
  await tab.at(`/queues/${queue}?tab=rules`);
  await tab.getByText("Your key may only read these rules.").waitFor();
  assert.ok(await tab.getByLabel("Live calls").isDisabled());
  const status = await tab.evaluate(
    async ({ id, key }) => {
      const answer = await fetch(`calling/api/v1/queues/updatequeuemaster/${id}`, {
        method: "PUT",
        headers: { "X-API-KEY": key, "content-type": "application/json" },
        body: JSON.stringify({ queue_status: "in-progress" }),
      });
      return answer.status;
    },
    { id: queue, key },
  );
  assert.equal(status, 403);
  assert.equal((await write.get(`queues/getqueuemaster/${queue}`)).queue_status, "paused");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a revoked key ends the stream and says so", async () => {
  const admin = api(on.server, on.server.adminKey);
  const [client] = (await admin.get("admin/clients")).results;
  const made = await admin.post(`admin/clients/${client.client_id}/keys`, {});
  const tab = await openTab(on.browser, on.site.url, made.api_key);
  await tab.state("live");
  await admin.delete(`admin/clients/${client.client_id}/keys/${made.key_id}`);
  await tab.getByText("The server refused the key.").waitFor();
  assert.equal(await tab.evaluate(() => sessionStorage.getItem("trunkline.key")), null);
  await tab.end();
});

test("a server that is away is waited for", async () => {
  const tab = await openTab(on.browser, on.site.url, on.server.clientKey);
  await tab.state("live");
  on.site.cut();
  await tab.state("away");
  await tab.getByRole("button", { name: /Live updates/ }).click();
  await tab.getByText(/cannot be reached/).waitFor();
  on.site.mend();
  // It may have tried by itself in this moment.
  await tab
    .getByRole("button", { name: "Try now" })
    .click({ timeout: 1000 })
    .catch(() => undefined);
  await tab.state("live");
  await tab.keyboard.press("Escape");
  on.site.away(true);
  await tab.evaluate(() => sessionStorage.removeItem("trunkline.who"));
  await tab.reload();
  await tab.getByText("The server did not answer.").waitFor();
  on.site.away(false);
  await tab.getByRole("button", { name: "Try again" }).click();
  await tab.state("live");
  await tab.end();
});

test("seven tabs over plain http work, and the one that is looked at is live", async () => {
  const first = await openTab(on.browser, on.site.url, on.server.clientKey);
  const tabs = [first];
  for (let n = 0; n < 6; n++) {
    const tab = await first.context().newPage();
    await tab.goto(on.site.url);
    await tab.waitForSelector('[data-state="live"]', { timeout: 15_000 });
    tabs.push(tab);
  }
  const states = () => Promise.all(tabs.map((tab) => tab.getAttribute("[data-state]", "data-state")));
  await until(async () => (await states()).filter((it) => it === "live").length <= 4, "at most four streams");
  assert.equal((await states()).at(-1), "live");
  assert.equal((await states()).at(0), "paused");
  await first.evaluate(() => window.dispatchEvent(new Event("focus")));
  await first.waitForSelector('[data-state="live"]');
  await first.end();
});
