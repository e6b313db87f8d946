// Drives the dashboard in Chromium, and notices what should not happen there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts Chromium. CHROMIUM names another binary than Debian's. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--js-flags=--expose-gc",
    ],
  });
}

/** Opens a tab that is signed in with a key, if one is given. `problems` collects errors, CSP reports and other hosts. */
export async function openTab(browser, url, key, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    acceptDownloads: true,
    ...options,
  });
  const problems = [];
  if (key) {
    await context.addInitScript(
      ({ name, value }) => {
        if (!sessionStorage.getItem("trunkline.test")) sessionStorage.setItem(name, value);
        sessionStorage.setItem("trunkline.test", "1");
      },
      { name: "trunkline.key", value: key },
    );
  }
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const tab = await context.newPage();
  tab.setDefaultTimeout(15_000);
  tab.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
  tab.on("console", (line) => {
    // Chromium logs each answer of 4xx and each connection that fails; the stories cause those.
    if (line.type() === "error" && !/Failed to load resource/.test(line.text())) problems.push(line.text());
  });
  tab.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith("http") && host !== new URL(url).host)
      problems.push(`another host was asked: ${request.url()}`);
  });
  await tab.goto(url);
  return Object.assign(tab, {
    problems,
    at: (path) => tab.evaluate((to) => location.assign(`#${to}`), path),
    state: (kind, timeout = 15_000) => tab.waitForSelector(`[data-state="${kind}"]`, { timeout }),
    end: () => context.close(),
  });
}

/** Fails with what axe finds on the page as it is. */
export async function assertAccessible(tab, name) {
  // The policy allows no inline script; what the test itself evaluates is not bound by it.
  if (!(await tab.evaluate(() => "axe" in window))) await tab.evaluate(axeSource);
  const { violations } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(
    (it) =>
      `${it.id} (${it.impact}): ${it.help}\n    ${it.nodes
        .slice(0, 4)
        .map((node) => `${node.target} ${node.failureSummary?.split("\n")[1] ?? ""}`)
        .join("\n    ")}`,
  );
  assert.deepEqual(found, [], `${name} has faults of accessibility`);
}

/** Waits until a condition holds. */
export async function until(condition, what, timeout = 15_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) assert.fail(`timed out: ${what}`);
    await new Promise((later) => setTimeout(later, 50));
  }
}
