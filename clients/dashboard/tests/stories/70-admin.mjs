import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, numbers } from "../lib/api.mjs";
import { startAsterisk } from "../lib/asterisk.mjs";
import { openTab, until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";
import { alter } from "../lib/store.mjs";

const on = stage({ speed: 6 });
let asterisk;
before(async () => {
  asterisk = await startAsterisk();
});
after(() => asterisk?.end());

const dialog = (tab) => tab.getByRole("dialog");
const press = (within, name) => within.getByRole("button", { name, exact: true }).click();

/** Reads a key that is shown once, and closes its dialog. */
async function takeSecret(tab) {
  const secret = (await tab.locator("[data-secret]").textContent()).trim();
  // It does not go away by accident.
  await tab.keyboard.press("Escape");
  await tab.getByText("This was the only time that it is shown.").waitFor();
  await press(tab, "I have stored it");
  await until(async () => (await tab.locator("[data-secret]").count()) === 0, "the dialog is closed");
  return secret;
}

test("an administrator adds a server, a client, a grant and a key, and that key dials", async () => {
  const tab = await on.open("/admin/servers");
  await press(tab, "New server");
  await press(dialog(tab), "New server");
  assert.equal(await dialog(tab).getByText("This is required.").count(), 4, "code, host, user and secret");
  const focused = () => tab.evaluate(() => document.activeElement?.getAttribute("aria-invalid") === "true");
  await until(focused, "the first field that is wrong has the focus");
  await tab.getByLabel("Code required").fill("berlin 1");
  await tab.getByLabel("Host").fill("127.0.0.1");
  await tab.getByLabel("Port").fill(`${asterisk.port}`);
  await tab.getByLabel("Manager user").fill(asterisk.username);
  await tab.getByLabel("Secret").fill("wrong");
  await tab.getByLabel("Channel of quick calls").fill("PJSIP/{number}@carrier");
  await press(dialog(tab), "New server");
  await dialog(tab).getByText("Only these characters").waitFor();
  await tab.getByLabel("Code required").fill("berlin-1");
  await press(dialog(tab), "New server");
  await tab.getByRole("heading", { name: "berlin-1" }).waitFor();
  await tab.getByText("Login refused").waitFor();
  await press(tab, "Test the server");
  await tab.getByText("Dialing needs something that is missing.").waitFor();
  await tab.getByLabel("Secret").fill(asterisk.secret);
  await press(tab, "Save");
  await tab.getByText("The server is changed.").waitFor();
  await tab.getByText("Online").first().waitFor({ timeout: 30_000 });
  await press(tab, "Test the server");
  await tab.getByText("nothing that dialing needs is missing").waitFor();

  await tab.at("/admin/clients");
  await press(tab, "New client");
  await tab.getByLabel("Name").fill("Nord");
  await tab.getByLabel("Account code").fill("nord");
  await press(dialog(tab), "New client");
  const first = await takeSecret(tab);
  await tab.getByRole("heading", { name: "Nord" }).waitFor();
  await tab.getByText("Servers", { exact: true }).last().click();
  await tab.getByText("This client cannot dial yet").waitFor();
  await press(tab, "Grant a server");
  await dialog(tab).getByLabel("Server").selectOption("berlin-1");
  await dialog(tab).getByLabel("Live calls").fill("7");
  await press(dialog(tab), "Save the grant");
  await tab.getByRole("link", { name: "berlin-1" }).waitFor();
  await tab.getByText("Keys", { exact: true }).click();
  await press(tab, "New key");
  await press(dialog(tab), "New key");
  const key = await takeSecret(tab);
  assert.notEqual(key, first);
  assert.deepEqual(tab.problems, []);
  await tab.end();

  const theirs = await openTab(on.browser, `${on.site.url}#/quick`, key);
  await theirs.getByLabel("Name required").fill("Ann Arbor");
  await theirs.getByLabel("First number", { exact: true }).fill("4930555506");
  await theirs.getByText("Run an application").click();
  await theirs.getByLabel("Application", { exact: true }).fill("Wait");
  await theirs.getByLabel("Its arguments").fill("30");
  await press(theirs, "Place the call");
  await theirs.getByText("The call is placed").waitFor();
  await theirs.getByText("Answered").first().waitFor();
  const [call] = (await api(on.server, key).get("calls")).results;
  assert.equal(call.asterisk_server_code, "berlin-1");
  await theirs.getByRole("link", { name: "Open the call" }).click();
  await until(() => theirs.evaluate((id) => location.hash.includes(id), call.call_id), "the page of the call");
  assert.deepEqual(theirs.problems, []);
  await theirs.end();

  // The first key is revoked, and the other one still works.
  const again = await on.open(
    `/admin/clients/${(await on.admin.get("admin/clients")).results.at(-1).client_id}?tab=keys`,
  );
  await again
    .getByRole("button", { name: /^Revoke/ })
    .first()
    .click();
  await press(dialog(again), "Revoke");
  await again.getByText("Revoked").waitFor();
  await assert.rejects(api(on.server, first).get("calls"), /401/);
  await api(on.server, key).get("calls");
  await again.end();
});

test("a client is created without a mouse", async () => {
  const tab = await on.open("/admin/clients");
  await tab.getByRole("row", { name: /sandbox/ }).waitFor();
  const focused = () => tab.evaluate(() => document.activeElement?.textContent?.trim());
  for (let n = 0; n < 60 && (await focused()) !== "New client"; n++) await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  await dialog(tab).getByRole("checkbox").first().waitFor();
  await tab.keyboard.type("By keyboard");
  await tab.keyboard.press("Tab");
  await tab.keyboard.type("keyboard");
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Space");
  await tab.keyboard.press("Enter");
  await tab.locator("[data-secret]").waitFor();
  for (let n = 0; n < 10 && (await focused()) !== "I have stored it"; n++) await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  await tab.getByRole("heading", { name: "By keyboard" }).waitFor();
  const made = (await on.admin.get("admin/clients")).results.at(-1);
  assert.equal(made.account_code, "keyboard");
  assert.equal(made.servers.length, 1);
  await tab.end();
});

test("a key that may only read sees no way to change anything, and hand-made requests are refused", async () => {
  const [client] = (await on.admin.get("admin/clients")).results;
  const { api_key: key } = await on.admin.post(`admin/clients/${client.client_id}/keys`, { scope: "read" });
  const tab = await openTab(on.browser, `${on.site.url}#/do-not-call`, key);
  await tab.getByText("The list is empty").waitFor();
  assert.equal(await tab.getByRole("button", { name: "Add numbers" }).count(), 0);
  for (const name of ["Quick call", "Import calls", "Clients", "Servers", "Audit log"]) {
    assert.equal(await tab.getByRole("link", { name, exact: true }).count(), 0, `${name} is not in the navigation`);
  }
  for (const path of ["/quick", "/import"]) {
    await tab.at(path);
    await tab.getByText("Your key may only read.").waitFor();
  }
  for (const path of [
    "/admin/clients",
    "/admin/servers",
    "/admin/keys",
    "/admin/policy",
    `/admin/clients/${client.client_id}`,
  ]) {
    await tab.at(path);
    await tab.getByText("Only for administrators").waitFor();
    assert.equal(await tab.locator("main button").count(), 0, `${path} has no button`);
  }
  const item = { asterisk_server_code: "server1", action: { Channel: "PJSIP/1234567@carrier", Application: "Echo" } };
  const refused = [
    ["POST", "queues/insertdataincallqueue", { batch_id: 1, data: [item] }],
    [
      "POST",
      "queues/insertquickcall",
      { asterisk_server_code: "server1", customer_name: "x", number1: "1234567", action: {} },
    ],
    ["POST", "clients/do-not-call", { numbers: [{ number: "+4930123456" }] }],
    ["DELETE", "clients/do-not-call/4930123456", undefined],
    ["POST", "admin/clients", { name: "x", account_code: "x" }],
    ["POST", "admin/kill-switch", { engaged: true }],
    ["PUT", "admin/policy", { denied_prefixes: [] }],
    ["POST", `admin/clients/${client.client_id}/keys`, {}],
    ["POST", "admin/keys", { name: "mine" }],
  ];
  for (const [method, path, body] of refused) {
    const status = await tab.evaluate(
      async ({ method, path, body, key }) => {
        const headers = { "X-API-KEY": key, "content-type": "application/json" };
        const answer = await fetch(`calling/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
        return answer.status;
      },
      { method, path, body, key },
    );
    assert.equal(status, 403, `${method} ${path}`);
  }
  assert.equal((await on.admin.get("admin/kill-switch")).engaged, false);
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("limits and a dial policy are changed, and what the server refuses is shown at its field", async () => {
  const [client] = (await on.admin.get("admin/clients")).results;
  const path = `/admin/clients/${client.client_id}`;
  const tab = await on.open(`${path}?tab=limits`);
  await tab.getByLabel("Live calls").fill("0");
  await tab.getByLabel("Live calls").blur();
  await tab.getByText("At least 1.").waitFor();
  await tab.getByLabel("Live calls").fill("40");
  await tab.getByLabel("Answered minutes a day").fill("600");
  await press(tab, "Save");
  await tab.getByText("The limits are changed.").waitFor();
  const stored = async () => on.admin.get(`admin/clients/${client.client_id}`);
  assert.deepEqual((await stored()).limits, { max_live_calls: 40, max_minutes_per_day: 600 });

  await tab.at(`${path}?tab=policy`);
  await tab.getByLabel("PJSIP").check();
  await tab.getByRole("checkbox", { name: "Local" }).check();
  await tab.getByLabel("Dialplan contexts").fill("outbound\nno context!");
  await tab.getByLabel("Denied prefixes").fill("+44900\n\n+1900\n");
  await press(tab, "Save");
  const field = tab.getByLabel("Dialplan contexts");
  await until(() => field.evaluate((it) => it === document.activeElement), "the refused field has the focus");
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  await tab.getByText("policy.contexts[1]").waitFor();
  assert.deepEqual((await stored()).policy.technologies ?? [], client.policy.technologies ?? [], "nothing was stored");
  await field.fill("outbound");
  await press(tab, "Save");
  await tab.getByText("The dial policy is changed.").waitFor();
  const { policy } = await stored();
  assert.deepEqual(policy.technologies.toSorted(), ["Local", "PJSIP"]);
  assert.deepEqual(policy.contexts, ["outbound"]);
  assert.equal(policy.destination_prefixes.deny.length, 2);
  await tab.reload();
  assert.ok(await tab.getByRole("checkbox", { name: "Local" }).isChecked());
  // Another administrator was faster: the form, which nobody has changed, shows it and does not undo it.
  const others = { ...policy, max_legs: 3 };
  await on.admin.patch(`admin/clients/${client.client_id}`, { policy: others });
  const legs = tab.getByLabel("Phones that one Dial may ring");
  await until(async () => (await legs.inputValue()) === "3", "what another administrator changed is shown");
  // The default again: an empty list.
  await tab.getByRole("checkbox", { name: "Local" }).uncheck();
  await tab.getByLabel("PJSIP").uncheck();
  await tab.getByLabel("Dialplan contexts").fill("");
  await press(tab, "Save");
  await tab.getByText("The dial policy is changed.").waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("limits of trunks and what no client may dial are set", async () => {
  const tab = await on.open("/admin/servers/server1");
  await press(tab, "Add a trunk");
  await press(tab, "Add a trunk");
  await tab.getByLabel("Trunk", { exact: true }).nth(0).fill("carrier");
  await tab.getByLabel("Live calls", { exact: true }).nth(0).fill("0");
  await press(tab, "Save");
  await tab.getByText("At least 1.").waitFor();
  await tab.getByLabel("Live calls", { exact: true }).nth(0).fill("30");
  await tab.getByRole("button", { name: "Remove the trunk", exact: true }).last().click();
  await press(tab, "Save");
  await tab.getByText("The server is changed.").waitFor();
  const { trunks } = await on.admin.get("admin/servers/server1");
  assert.deepEqual(trunks, [{ trunk: "carrier", max_channels: 30 }]);

  await tab.at("/admin/policy");
  await tab.getByLabel("Denied prefixes").fill("+44900\nabc");
  await press(tab, "Save");
  await tab.getByText("abc: ").first().waitFor();
  await tab.getByLabel("Denied prefixes").fill("+44900");
  await press(tab, "Save");
  await tab.getByText("The policy is changed.").waitFor();
  assert.equal((await on.admin.get("admin/policy")).denied_prefixes.length, 1);
  await tab.locator("main").getByRole("button", { name: "Dialing allowed" }).click();
  await tab.getByLabel("Reason").fill("a fault at the carrier");
  await press(dialog(tab), "Stop all dialing");
  await tab.locator("main").getByText("a fault at the carrier").waitFor();
  assert.equal((await on.admin.get("admin/kill-switch")).engaged, true);
  await tab.locator("main").getByRole("button", { name: "Kill switch engaged" }).click();
  await press(dialog(tab), "Allow dialing again");
  await tab.locator("main").getByRole("button", { name: "Dialing allowed" }).waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("numbers are added to the do-not-call lists, looked for in any spelling, and removed", async () => {
  // Enough for several pages of the search.
  const many = Array.from({ length: 1600 }, (_, n) => ({ number: `+4477009${String(n * 3).padStart(5, "0")}` }));
  await on.admin.post("admin/do-not-call", { numbers: many.slice(0, 1000) });
  await on.admin.post("admin/do-not-call", { numbers: many.slice(1000) });
  const tab = await on.open("/do-not-call");
  await tab.getByText("1,600").waitFor();
  await press(tab, "Add numbers");
  await tab.getByLabel("Numbers required").fill("+49 151 23456789\n12a4");
  await tab.getByLabel("Reason").fill("asked not to be called");
  await press(dialog(tab), "Add numbers");
  await dialog(tab).getByText("12a4:").waitFor();
  await tab.getByLabel("Numbers required").fill("+49 151 23456789\n0049 151 23456780");
  await press(dialog(tab), "Add numbers");
  await tab.getByText("2 numbers are added.").waitFor();
  const check = async (number) => {
    await tab.getByLabel("Check a number").fill(number);
    await press(tab, "Check");
  };
  await check("0049 (151) 234-56789");
  await tab.getByText("4915123456789 is on this list.").waitFor();
  await check("+44 7700 901500");
  await tab.getByText("447700901500 is on this list.").waitFor();
  await check("+44 7700 901501");
  await tab.getByText("447700901501 is not on this list.").waitFor();
  await check("+99 999");
  await tab.getByText("99999 is not on this list.").waitFor();
  await check("none");
  await tab.getByText("Enter a number of 3 to 15 digits.").waitFor();
  const table = tab.getByRole("table");
  await table.focus();
  await tab.keyboard.press("End");
  await tab.getByRole("button", { name: "Remove 4915123456789" }).click();
  await press(dialog(tab), "Remove");
  await tab.getByText("4915123456789 is removed.").waitFor();
  await check("+4915123456789");
  await tab.getByText("4915123456789 is not on this list.").waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();

  // The list of a client, with its own key.
  const theirs = await on.openAsClient("/do-not-call");
  await theirs.getByText("The list is empty").waitFor();
  await theirs.getByRole("button", { name: "Add numbers" }).first().click();
  await theirs.getByLabel("Numbers required").fill("+49 30 1112223");
  await press(dialog(theirs), "Add numbers");
  await theirs.getByRole("row", { name: /49301112223/ }).waitFor();
  assert.equal((await on.client.get("clients/do-not-call")).count, 1);
  await theirs.end();
});

test("a full trunk is explained, and its limit is raised by following the link", async () => {
  await on.admin.patch("admin/servers/server1", {
    trunks: [
      { trunk: "broad", max_channels: 50 },
      { trunk: "narrow", max_channels: 3 },
    ],
  });
  const queue = await on.client.insert(numbers(12, "06", 49340000), {
    name: "Through a narrow trunk",
    // Until then, the lane knows the limit.
    each: {
      not_before: new Date(Date.now() + 4_000).toISOString(),
      action: { Action: "Originate", Channel: "PJSIP/4934000006@narrow", Application: "Wait", Data: "60" },
    },
  });
  const tab = await on.open(`/queues/${queue}`);
  await tab.getByText("3 live now").waitFor();
  await tab.getByRole("link", { name: /^Change it/ }).click();
  const limit = tab.getByLabel("Live calls", { exact: true }).last();
  await until(() => limit.evaluate((it) => it === document.activeElement), "the limit of the trunk has the focus");
  assert.equal(await limit.inputValue(), "3");
  await limit.fill("8");
  await tab.keyboard.press("Enter");
  await tab.getByText("The server is changed.").waitFor();
  await tab.goBack();
  await tab.getByText("8 live now").waitFor();
  await on.client.post(`queues/${queue}/cancel`, { hang_up_live: true });
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a node is drained and resumed, and says what that means without another node", async () => {
  const tab = await on.open("/admin/nodes");
  await tab.getByRole("button", { name: /^Drain/ }).click();
  await tab.getByText("There is no other node that is alive").waitFor();
  await press(dialog(tab), "Drain");
  await tab.getByText("Drained").waitFor();
  assert.equal((await on.admin.get("admin/nodes")).results[0].draining, true);
  await tab.getByRole("button", { name: /^Resume/ }).click();
  await press(dialog(tab), "Resume");
  await tab.getByText("Alive").waitFor();
  await until(async () => (await on.admin.get("admin/servers/server1")).status === "online", "the server is back");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("statistics by trunk count what was dialed, and are saved as a file", async () => {
  await on.client.insert(numbers(6, "01", 49330000), { name: "Busy", seconds: 1 });
  await until(async () => (await on.client.get("calls?status=failed")).results.length >= 6, "they were busy");
  const tab = await on.openAsClient("/statistics");
  const row = tab.getByRole("row", { name: /carrier/ });
  await row.waitFor();
  await row.getByRole("cell", { name: "6", exact: true }).first().waitFor();
  const chart = tab.getByRole("figure");
  await until(async () => /carrier\s*[1-9]/.test((await chart.textContent()) ?? ""), "the chart has the attempts");
  await tab.getByLabel("By", { exact: true }).selectOption("cause");
  await tab.getByText(/^17 /).first().waitFor();
  const [file] = await Promise.all([tab.waitForEvent("download"), press(tab, "Download as CSV")]);
  assert.equal(file.suggestedFilename(), "statistics-by-cause-day.csv");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("the audit log shows what was changed, and notices an entry that was altered in the database", async () => {
  const tab = await on.open("/admin/audit");
  await tab.locator('[data-verdict="whole"]').waitFor();
  await tab.getByRole("button", { name: "SetPlatformPolicy" }).first().click();
  const changes = dialog(tab).getByRole("region", { name: "What was changed" });
  await changes.getByText("denied_prefixes").waitFor();
  await dialog(tab).getByText("44900").first().waitFor();
  await tab.keyboard.press("Escape");
  const ids = (await on.admin.get("admin/audit?page_size=1000")).results.map((it) => it.audit_id);
  const altered = ids.at(-2);
  alter(on.server, `DROP TRIGGER audit_is_never_changed; UPDATE audit SET actor = 'mallory' WHERE id = ${altered};`);
  await tab.locator('[data-verdict="hash"]').waitFor();
  await tab.getByText(`Entry ${altered} does not fit`).waitFor();
  assert.deepEqual(tab.problems, []);
  await tab.end();
});
