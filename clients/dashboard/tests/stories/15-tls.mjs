import assert from "node:assert/strict";
import { test } from "node:test";
import { numbers } from "../lib/api.mjs";
import { until } from "../lib/browser.mjs";
import { certificate } from "../lib/server.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 4, prefix: "/secure/", tls: certificate() });

test("over TLS with HTTP/2, seven tabs are live at the same time", async () => {
  const first = await on.openAsClient("/live", { ignoreHTTPSErrors: true });
  await first.state("live");
  const protocols = await first.evaluate(() =>
    performance.getEntriesByType("resource").map((it) => it.nextHopProtocol),
  );
  assert.ok(protocols.length > 0 && protocols.every((it) => it === "h2"), `${protocols}`);
  const tabs = [first];
  for (let n = 0; n < 6; n++) {
    const tab = await first.context().newPage();
    await tab.goto(`${on.site.url}#/live`);
    await tab.waitForSelector('[data-state="live"]');
    tabs.push(tab);
  }
  await on.client.insert(numbers(4, "06", 49600000), { name: "Seen by all" });
  for (const tab of tabs) {
    await until(async () => (await tab.getByRole("row").count()) === 5, "every tab shows the calls");
    assert.equal(await tab.getAttribute("[data-state]", "data-state"), "live");
  }
  assert.deepEqual(first.problems, []);
  await first.end();
});
