import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { numbers } from "../lib/api.mjs";
import { assertAccessible, until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 6, prefix: "/" });
const folder = fileURLToPath(new URL("../../../../docs/screenshots/", import.meta.url));

/** What the pages show: queues in every state, calls with every outcome, and some that are live. */
async function fill() {
  const { client, admin } = on;
  await admin.patch("admin/servers/server1", { max_channels: 60, calls_per_second: 30 });
  const mixed = Array.from({ length: 600 }, (_, n) => 4930200100 + n);
  const spring = await client.insert(mixed, {
    name: "Spring campaign",
    labels: { campaign: "spring" },
    seconds: 20,
    each: { labels: { campaign: "spring" }, project: "north" },
  });
  const held = await client.insert(numbers(40, "06", 49303000), {
    name: "Renewals Berlin",
    rules: { max_live_calls: 12, calls_per_second: 5 },
  });
  await client.insert(numbers(80, "10", 49304000), {
    name: "Night callbacks",
    rules: { windows: { time_zone: "Europe/Berlin", windows: [{ from: "03:00", to: "03:01" }] } },
  });
  await client.insert(numbers(250, "10", 49305000), { name: "Survey, second wave", paused: true });
  await client.insert(numbers(12, "10", 49306000), { name: "Short list", seconds: 1 });
  const tried = await client.insert([4930700001], {
    name: "Tried again",
    each: { retry: 2, labels: { campaign: "spring" } },
    rules: { retry_rules: [{ outcome: "busy", delay: 2 }] },
  });
  await until(
    async () => (await client.get(`queues/getqueuemaster/${tried}`)).counts.failed === 1,
    "the retries",
    60_000,
  );
  await until(
    async () => (await client.get(`queues/getqueuemaster/${spring}`)).counts.completed > 200,
    "calls",
    60_000,
  );
  const [call] = (await client.get("calls?contact_number=4930700001")).results;
  return { spring, held, call: call.call_id };
}

test("every page has no fault of accessibility, light and dark, wide and narrow, and is in docs/screenshots", async () => {
  const { spring, held, call } = await fill();
  mkdirSync(folder, { recursive: true });
  const pages = [
    ["overview", "/", "Answer rate"],
    ["queues", "/queues", "Spring campaign"],
    ["queue", `/queues/${spring}`, "Why calls failed"],
    ["queue-calls", `/queues/${spring}?tab=calls`, "600 calls"],
    ["queue-rules", `/queues/${held}?tab=rules`, "Save the rules"],
    ["live", "/live", "live ·"],
    ["find", `/find?${new URLSearchParams({ q: "campaign:spring" })}`, "Calls with the label"],
    ["call", `/calls/${call}`, "Attempt 3"],
  ];
  const views = [
    { name: "light", colorScheme: "light", viewport: { width: 1280, height: 800 } },
    { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 800 } },
    { name: "light-narrow", colorScheme: "light", viewport: { width: 390, height: 844 } },
    { name: "dark-narrow", colorScheme: "dark", viewport: { width: 390, height: 844 } },
  ];
  for (const { name, ...view } of views) {
    const tab = await on.open("/", on.server.adminKey, { ...view, reducedMotion: "reduce" });
    await tab.state("live");
    for (const [page, path, text] of pages) {
      await tab.at(path);
      await tab.getByText(text).first().waitFor();
      await tab.waitForLoadState("networkidle", { timeout: 250 }).catch(() => undefined);
      await assertAccessible(tab, `${page}, ${name}`);
      const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${page}, ${name}: ${wide} pixels are beside the screen`);
      await shoot(tab, `${page}-${name}`);
    }
    if (name.endsWith("narrow")) {
      await tab.getByRole("button", { name: "Open the navigation" }).click();
      await tab.getByRole("link", { name: "Queues", exact: true }).waitFor();
      await assertAccessible(tab, `navigation, ${name}`);
      await shoot(tab, `navigation-${name}`);
      await tab.getByRole("link", { name: "Queues", exact: true }).click();
    }
    await dialogs(tab, spring, name);
    assert.deepEqual(tab.problems, []);
    await tab.end();
    const out = await on.open("/", "", view);
    await out.getByLabel("API key").waitFor();
    await assertAccessible(out, `sign-in, ${name}`);
    await shoot(out, `sign-in-${name}`);
    await out.end();
  }
});

/** Opens the dialogs that an operator meets, and closes each of them by Escape. */
async function dialogs(tab, queue, name) {
  const look = async (what, open) => {
    await open();
    await tab.getByRole("dialog").waitFor();
    await assertAccessible(tab, `${what}, ${name}`);
    await shoot(tab, `${what}-${name}`);
    await tab.keyboard.press("Escape");
    await tab.getByRole("dialog").waitFor({ state: "detached" });
  };
  await look("dialog-updates", () => tab.getByRole("button", { name: /Live updates/ }).click());
  await look("dialog-kill-switch", () => tab.getByRole("button", { name: "Dialing allowed" }).click());
  await tab.at(`/queues/${queue}?tab=calls&status=7`);
  await look("dialog-retry", async () => {
    await tab.getByRole("button", { name: "Retry failed" }).click();
    await tab.getByText(/failed calls match/).waitFor();
  });
}

/** Keeps a picture of the page in docs/screenshots, if UPDATE_SCREENSHOTS is set. */
async function shoot(tab, name) {
  if (!process.env.UPDATE_SCREENSHOTS) return;
  const session = await tab.context().newCDPSession(tab);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  await session.detach();
  const picture = Buffer.from(data, "base64");
  assert.ok(picture.length < 150_000, `${name}.webp has ${picture.length} bytes`);
  writeFileSync(`${folder}${name}.webp`, picture);
}
