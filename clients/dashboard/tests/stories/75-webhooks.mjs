import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";
import { alter } from "../lib/store.mjs";

// The receiver of this story is on this machine, which a server permits only on purpose.
const on = stage({ speed: 6, settings: ["--webhook-http", "--webhook-networks", "127.0.0.0/8"] });
const receiver = { status: 204, events: [] };
before(async () => {
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (text) => {
      body += text;
    });
    request.on("end", () => {
      receiver.events.push(JSON.parse(body));
      response.writeHead(receiver.status).end();
    });
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  receiver.url = `http://127.0.0.1:${server.address().port}/events?token=secret`;
  receiver.end = () => {
    server.closeAllConnections();
    server.close();
  };
});
after(() => receiver.end?.());

const press = (within, name) => within.getByRole("button", { name, exact: true }).click();

test("a webhook is created and tested, and its dead letters are posted once more", async () => {
  const tab = await on.open("/admin/webhooks");
  await tab.getByRole("button", { name: "New webhook" }).first().click();
  const dialog = tab.getByRole("dialog");
  await press(dialog, "New webhook");
  assert.equal(await dialog.getByText("This is required.").count(), 2);
  await dialog.getByLabel("Client").selectOption({ label: "sandbox" });
  await dialog.getByLabel("URL").fill("http://user:password@127.0.0.1/");
  await press(dialog, "New webhook");
  await until(
    async () => (await dialog.getByLabel("URL").getAttribute("aria-invalid")) === "true",
    "the URL is refused",
  );
  await dialog.getByLabel("URL").fill(receiver.url);
  await dialog.getByLabel("Batch stored").check();
  await press(dialog, "New webhook");
  const secret = await tab.locator("[data-secret]").textContent();
  assert.match(secret, /^whsec_/);
  await press(tab, "I have stored it");
  await tab.getByRole("heading", { name: receiver.url }).waitFor();

  const button = (name) => tab.getByRole("button", { name: `${name} of ${receiver.url}` });
  await button("Test").click();
  await tab.getByText("The receiver accepted it with HTTP 204").waitFor();
  assert.equal(receiver.events.at(-1).type, "test");
  await press(dialog, "Close");
  await dialog.waitFor({ state: "detached" });

  receiver.status = 500;
  await button("Test").click();
  await tab.getByText("The receiver refused it with HTTP 500").waitFor();
  await tab.keyboard.press("Escape");
  await on.client.insert([4930123410], { seconds: 1 });
  await tab.getByText("Failing").waitFor();
  const failing = async () => (await on.admin.get("admin/webhooks")).results[0];
  await until(async () => (await failing()).failing_since, "the failure is stored");
  // A day passes.
  await on.server.stop();
  alter(on.server, "UPDATE webhooks SET failing_since = failing_since - 86400000, next_try_at = 0");
  await on.server.start();
  await button("1 dead letter").click({ timeout: 30_000 });
  await dialog.getByText("Batch stored").waitFor();
  receiver.status = 204;
  receiver.events.length = 0;
  await press(dialog, "Post all again");
  await tab.getByText("1 event is posted once more.").waitFor();
  await dialog.getByText("There are no dead letters").waitFor();
  assert.deepEqual(
    receiver.events.map((it) => it.type),
    ["batch-inserted"],
  );
  await press(dialog, "Close");
  await on.client.insert([4930123411], { seconds: 1 });
  await tab.getByText("Working").waitFor();

  await button("New secret").click();
  await press(dialog, "New secret");
  assert.notEqual(await tab.locator("[data-secret]").textContent(), secret);
  await press(tab, "I have stored it");
  await tab.getByText("The old secret is valid until").waitFor();
  await button("Remove").click();
  await press(dialog, "Remove");
  await tab.getByText("There are no webhooks").waitFor();
  await tab.end();
});
