import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertAccessible, until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const on = stage({ speed: 8, settings: ["--webhook-http", "--webhook-networks", "127.0.0.0/8"] });
const folder = fileURLToPath(new URL("../../../../docs/screenshots/", import.meta.url));

/** What the pages show: several clients, servers in every state, and what became of some calls. */
async function fill() {
  const { admin, client } = on;
  const [server] = (await admin.get("admin/servers")).results;
  await admin.patch("admin/servers/server1", {
    max_channels: 80,
    country_code: "49",
    national_prefix: "0",
    service_codes: ["*31#"],
    trunks: [
      { trunk: "carrier", max_channels: 60, calls_per_second: 10 },
      { trunk: "carrier-backup", max_channels: 20 },
    ],
  });
  const refused = { host: "127.0.0.1", port: server.port, username: "sandbox", secret: "wrong" };
  await admin.post("admin/servers", { code: "hamburg-2", ...refused });
  const { client_id } = await admin.post("admin/clients", {
    name: "Nordlicht Energie",
    account_code: "nordlicht",
    servers: ["server1", "hamburg-2"],
    limits: { max_live_calls: 40, calls_per_second: 5, max_minutes_per_day: 6000, requests_per_second: 50 },
    policy: {
      technologies: ["PJSIP", "Local"],
      applications: ["Dial", "Queue", "Playback"],
      contexts: ["outbound"],
      destination_prefixes: { allow: ["+49", "+43", "+41"], deny: ["+49900"] },
    },
  });
  await admin.put(`admin/clients/${client_id}/grants/server1`, { max_live_calls: 25, extensions: ["*98"] });
  await admin.post("admin/clients", { name: "Hausmann & Söhne", account_code: "hausmann", servers: ["server1"] });
  const old = await admin.post("admin/clients", { name: "Old campaign", account_code: "old" });
  await admin.patch(`admin/clients/${old.client_id}`, { disabled: true });
  await admin.post(`admin/clients/${client_id}/keys`, { scope: "read", networks: ["192.0.2.0/24"] });
  const gone = await admin.post(`admin/clients/${client_id}/keys`, { expires_at: "2030-01-01T00:00:00Z" });
  await admin.delete(`admin/clients/${client_id}/keys/${gone.key_id}`);
  for (const name of ["alice", "ben@example.org", "backup-script"]) await admin.post("admin/keys", { name });
  const list = Array.from({ length: 40 }, (_, n) => ({
    number: `+49151${23456000 + n * 731}`,
    ...(n % 3 === 0 ? { reason: "asked not to be called" } : {}),
  }));
  await admin.post("admin/do-not-call", { numbers: list });
  await admin.put("admin/policy", { denied_prefixes: ["+44900", "+1900", "+881"] });
  await admin.post("admin/webhooks", { client_id, url: "http://127.0.0.1:9/events", events: ["ended"] });
  await admin.post("admin/webhooks", { client_id: 1, url: "http://127.0.0.1:9/calls?token=6f2a" });
  for (const [n, trunk] of ["carrier", "carrier-backup", "mobile-gateway"].entries()) {
    const numbers = Array.from({ length: 120 - n * 45 }, (_, m) => 4930600000 + n * 1000 + m);
    for (const number of [numbers.slice(0, 60), numbers.slice(60)].filter((it) => it.length > 0)) {
      await client.insert(number, {
        name: `Through ${trunk}`,
        each: {
          action: {
            Action: "Originate",
            Channel: `PJSIP/${number[0]}@${trunk}`,
            Application: "Wait",
            Data: "9",
          },
        },
      });
    }
  }
  const all = async () => (await client.get("calls/statistics?by=trunk")).series ?? [];
  await until(async () => (await all()).length >= 3, "calls through three trunks", 60_000);
  return client_id;
}

const VIEWS = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 800 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  { name: "light-narrow", colorScheme: "light", viewport: { width: 390, height: 844 } },
  { name: "dark-narrow", colorScheme: "dark", viewport: { width: 390, height: 844 } },
];

/** Keeps a picture of the page, if pictures are wanted: they differ a little each time. */
async function shoot(tab, name) {
  if (!process.env.UPDATE_SCREENSHOTS) return;
  const session = await tab.context().newCDPSession(tab);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  await session.detach();
  const picture = Buffer.from(data, "base64");
  assert.ok(picture.length < 150_000, `${name}.webp has ${picture.length} bytes`);
  writeFileSync(`${folder}${name}.webp`, picture);
}

/** Checks and keeps what a page shows. */
async function look(tab, page, view) {
  await until(() => tab.evaluate(() => !document.querySelector('[aria-busy="true"]')), `${page} is loaded`);
  await assertAccessible(tab, `${page}, ${view}`);
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${page}, ${view}: ${wide} pixels are beside the screen`);
  await shoot(tab, `${page}-${view}`);
}

test("every page of administration, quick calls and imports is accessible, and in docs/screenshots", async () => {
  const id = await fill();
  mkdirSync(folder, { recursive: true });
  const files = mkdtempSync(join(tmpdir(), "trunkline-shots-"));
  const csv = join(files, "spring.csv");
  const people = ["Ada Berg", "Jo Chen", "Lena Fuchs", "Max Huber", "Mia Kurz", "Noah Lang"];
  const lines = people.map((name, n) => `${name},+4930123450${n},${["Berlin", "Bonn"][n % 2]}`);
  writeFileSync(csv, ["Name,Phone,City", ...lines, "Otto Maier,none,Kiel"].join("\n"));
  const pages = [
    ["clients", "/admin/clients", "Hausmann"],
    ["client", `/admin/clients/${id}`, "Name and state"],
    ["client-keys", `/admin/clients/${id}?tab=keys`, "Valid"],
    ["client-servers", `/admin/clients/${id}?tab=grants`, "hamburg-2"],
    ["client-limits", `/admin/clients/${id}?tab=limits`, "Release the brake"],
    ["client-policy", `/admin/clients/${id}?tab=policy`, "Channel technologies"],
    ["admin-keys", "/admin/keys", "ben@example.org"],
    ["servers", "/admin/servers", "Login refused"],
    ["server", "/admin/servers/server1", "Limits of trunks"],
    ["policy", "/admin/policy", "Denied prefixes"],
    ["do-not-call", "/do-not-call", "asked not to be called"],
    ["webhooks", "/admin/webhooks", "127.0.0.1:9/events"],
    ["nodes", "/admin/nodes", "Alive"],
    ["audit", "/admin/audit", "CreateAdminKey"],
    ["statistics", "/statistics", "mobile-gateway"],
  ];
  const dialogs = [
    ["client-new", "/admin/clients", "New client"],
    ["key-new", `/admin/clients/${id}?tab=keys`, "New key"],
    ["server-new", "/admin/servers", "New server"],
    ["webhook-new", "/admin/webhooks", "New webhook"],
    ["do-not-call-new", "/do-not-call", "Add numbers"],
    ["audit-entry", "/admin/audit", "UpdateServer"],
    ["kill-switch", "/admin/policy", "Dialing allowed"],
  ];
  try {
    for (const { name, ...view } of VIEWS) {
      const options = { ...view, reducedMotion: "reduce" };
      const tab = await on.open("/", on.server.adminKey, options);
      await tab.state("live");
      for (const [page, path, text] of pages) {
        await tab.at(path);
        await tab.locator("main").getByText(text).first().waitFor();
        await look(tab, page, name);
      }
      // Dialogs look the same in all views, but for colours and width.
      for (const [page, path, button] of name === "light" || name === "dark-narrow" ? dialogs : []) {
        await tab.at(path);
        await tab.locator("main").getByRole("button", { name: button, exact: true }).first().click();
        await tab.getByRole("dialog").waitFor();
        await look(tab, page, name);
        await tab.keyboard.press("Escape");
        await tab.getByRole("dialog").waitFor({ state: "detached" });
      }
      assert.deepEqual(tab.problems, []);
      await tab.end();

      const theirs = await on.openAsClient("/quick", options);
      await theirs.getByText("Second number", { exact: true }).waitFor();
      await look(theirs, "quick", name);
      await theirs.at("/import");
      await theirs.getByText("or drop it here").waitFor();
      await look(theirs, "import", name);
      await theirs.locator('input[type="file"]').setInputFiles(csv);
      await theirs.getByLabel("Channel to dial", { exact: true }).fill("PJSIP/{Phone}@carrier");
      await theirs.getByLabel("Application after the answer", { exact: true }).fill("Queue");
      await theirs.getByLabel("Arguments of the application", { exact: true }).fill("support");
      await theirs.evaluate(() => document.querySelector("main").scrollTo(0, 0));
      await look(theirs, "import-columns", name);
      await theirs.getByRole("button", { name: /^Check \d/ }).click();
      await theirs.getByText("1 line is refused").waitFor();
      await look(theirs, "import-checked", name);
      assert.deepEqual(theirs.problems, []);
      await theirs.end();
    }
  } finally {
    rmSync(files, { recursive: true, force: true });
  }
});
