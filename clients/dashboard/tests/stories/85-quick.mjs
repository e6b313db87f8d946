import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 6 });

const press = (within, name) => within.getByRole("button", { name, exact: true }).click();

test("what is wrong with a quick call is shown at its fields, also those that are not in sight", async () => {
  const tab = await on.openAsClient("/quick");
  await until(async () => (await tab.getByLabel("Server required").inputValue()) === "server1", "the server is chosen");
  await press(tab, "Place the call");
  await tab.getByText("This is required.").waitFor();
  await tab.getByLabel("Name required").fill("Ann");
  await tab.getByLabel("First number", { exact: true }).fill("49301234x");
  await tab.getByText("More settings").click();
  await tab.getByLabel("Further attempts").fill("101");
  await tab.getByText("More settings").click();
  await press(tab, "Place the call");
  await tab.getByText("At most 100.").waitFor();
  await tab.getByLabel("Further attempts").fill("");
  await press(tab, "Place the call");
  // The server refuses the number, and misses the second one.
  const number = tab.getByLabel("First number", { exact: true });
  await until(async () => (await number.getAttribute("aria-invalid")) === "true", "the number is refused");
  assert.equal(await tab.getByLabel("Second number", { exact: true }).getAttribute("aria-invalid"), "true");
  assert.equal((await on.client.get("calls")).results.length, 0, "nothing is placed");
  await tab.getByLabel("Labels").fill("campaign spring");
  await tab.getByText("is not of the form name=value").waitFor();
  await tab.getByLabel("Labels").fill("campaign=spring\nbatch=7");
  await tab.getByLabel("Channel variables").fill("GREETING=Hello, Ann");
  await number.fill("4930123410");
  await tab.getByLabel("Second number", { exact: true }).fill("4930123411");
  await press(tab, "Place the call");
  await tab.getByText("The call is placed").waitFor();
  const [call] = (await on.client.get("calls?label=campaign:spring")).results;
  assert.deepEqual(call.labels, { campaign: "spring", batch: "7" });
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a quick call whose answer is lost is placed once when it is sent again", async () => {
  const tab = await on.openAsClient("/quick");
  await tab.getByLabel("Name required").fill("Twice");
  await tab.getByLabel("First number", { exact: true }).fill("4930123499");
  await tab.getByText("Run an application").click();
  await tab.getByLabel("Application", { exact: true }).fill("Wait");
  await tab.getByLabel("Its arguments").fill("1");
  let lost = 0;
  await tab.route(/CreateQuickCall/, async (route) => {
    if (lost++ > 0) return void (await route.continue());
    await route.fetch();
    await route.abort();
  });
  await press(tab, "Place the call");
  await tab.getByText("The server could not be reached").waitFor();
  await press(tab, "Place the call");
  await tab.getByText("This call had been placed already").waitFor();
  const placed = async () => (await on.client.get("queues/getmasterqueues?kind=quick")).count;
  assert.equal(await placed(), 2, "this one, and that of the story before");
  // Another call with the same content is another call.
  await press(tab, "Place another call");
  await press(tab, "Place the call");
  await tab.getByText("The call is placed").waitFor();
  assert.equal(await placed(), 3);
  await tab.end();
});

test("an administrator places a call for a client", async () => {
  const tab = await on.open("/quick");
  await tab.locator("main").getByRole("combobox", { name: "Client" }).selectOption({ label: "sandbox" });
  await tab.getByLabel("Name required").fill("For a client");
  await tab.getByLabel("First number", { exact: true }).fill("4930123410");
  await tab.getByText("Enter the dialplan").click();
  await tab.getByLabel("Context", { exact: true }).fill("nowhere");
  await tab.getByLabel("Extension", { exact: true }).fill("100");
  await press(tab, "Place the call");
  // The dial policy of the client holds for administrators, too.
  const context = tab.getByLabel("Context", { exact: true });
  await until(async () => (await context.getAttribute("aria-invalid")) === "true", "the context is refused");
  await tab.getByText("Run an application").click();
  await tab.getByLabel("Application", { exact: true }).fill("Echo");
  await press(tab, "Place the call");
  await tab.getByText("The call is placed").waitFor();
  const [entry] = (await on.admin.get("admin/audit?page_size=1")).results;
  assert.equal(entry.action, "CreateQuickCall");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});
