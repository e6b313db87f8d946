import assert from "node:assert/strict";
import { test } from "node:test";
import { numbers } from "../lib/api.mjs";
import { until } from "../lib/browser.mjs";
import { stage } from "../lib/stage.mjs";

const SECONDS = Number(process.env.LOAD_SECONDS ?? 20);
const CALLS = Number(process.env.LOAD_CALLS ?? 100_000);
const on = stage({ speed: 20 });

/** Notes every task of the page from now on. Returns how to end that, with the processor time of the longest in ms. */
async function noteTasks(tab) {
  await on.browser.startTracing(tab, {
    categories: ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"],
  });
  return async () => {
    const { traceEvents } = JSON.parse((await on.browser.stopTracing()).toString());
    const mains = new Set(
      traceEvents
        .filter((it) => it.name === "thread_name" && it.args.name === "CrRendererMain")
        .map((it) => `${it.pid} ${it.tid}`),
    );
    // The time on the processor, and not that on the clock: another process on the machine makes no task longer.
    const tasks = traceEvents
      .filter((it) => /RunTask$/.test(it.name) && it.tdur !== undefined && mains.has(`${it.pid} ${it.tid}`))
      .map((it) => it.tdur / 1000)
      .sort((x, y) => y - x);
    assert.ok(tasks.length > 100, "the page has worked");
    return tasks.slice(0, 5).map((it) => Math.round(it));
  };
}

const heap = (tab) =>
  tab.evaluate(() => {
    window.gc?.();
    return performance.memory.usedJSHeapSize / 1e6;
  });

test("the first page takes less than 200 kB of compressed script, and shows a live row within a second", async () => {
  const queue = await on.client.insert(numbers(3, "06", 49308000), { name: "First row" });
  const tab = await on.openAsClient("/live");
  await tab.getByRole("row").nth(1).waitFor();
  const times = [];
  for (let n = 0; n < 5; n++) {
    const began = Date.now();
    await tab.reload();
    await tab.getByRole("row").nth(1).waitFor();
    times.push(Date.now() - began);
  }
  // As large as they were sent, which is compressed.
  const scripts = await tab.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter((it) => it.name.endsWith(".js"))
      .reduce((sum, it) => sum + it.encodedBodySize, 0),
  );
  console.log(`first live row after ${times.join(", ")} ms; ${scripts} bytes of compressed script`);
  assert.ok(Math.min(...times) < 1000, `${times} ms`);
  assert.ok(scripts > 50_000 && scripts < 200_000, `${scripts} bytes`);
  await on.client.post(`queues/${queue}/cancel`, { hang_up_live: true });
  await tab.end();
});

test("hundreds of events a second are shown in place, with exact totals and no long task", async () => {
  await on.admin.patch("admin/servers/server1", { max_channels: 2000, calls_per_second: 130 });
  const tab = await on.openAsClient("/live");
  await tab.state("live");
  const tasksSoFar = await noteTasks(tab);
  const count = SECONDS * 125;
  let events = 0;
  const queue = await on.client.insert(numbers(count, "10", 49500000), { name: "Load", seconds: 30 });
  await tab.waitForTimeout(4000);
  const before = await heap(tab);
  let most = 0;
  await until(
    async () => {
      const shown = await tab.getByTestId("live-summary").innerText();
      most = Math.max(most, Number(shown.match(/^[\d,]+/)?.[0].replace(",", "")));
      await new Promise((later) => setTimeout(later, 500));
      return (await on.client.get(`queues/getqueuemaster/${queue}`)).counts.completed === count;
    },
    "all calls have ended",
    120_000,
  );
  const after = await heap(tab);
  await tab.getByText("No call is live").waitFor();
  assert.match(await tab.getByTestId("live-summary").innerText(), /^0 live/);
  const tasks = await tasksSoFar();
  const seen = await on.client.get(`calls/statistics?queue_id=${queue}`);
  events = Number(seen.series[0].total.attempts) * 4;
  console.log(
    `${events} events, at most ${most} live; heap ${before.toFixed(1)} to ${after.toFixed(1)} MB; long tasks: ${tasks}`,
  );
  assert.ok(most > 50, "calls were live at the same time");
  assert.ok(tasks[0] < 100, `long tasks: ${tasks}`);
  assert.ok(after < before + 15, `the heap grew from ${before} to ${after} MB`);
  assert.deepEqual(tab.problems, []);
  await tab.end();
});

test("a queue with very many calls scrolls to its end, and rows come from the server", async () => {
  const queue = await on.client.insert(numbers(CALLS, "10", 49600000), { name: "Long", paused: true });
  const tab = await on.openAsClient(`/queues/${queue}?tab=calls`);
  await tab.getByText(`${CALLS.toLocaleString("en")} calls`, { exact: true }).waitFor();
  const table = tab.getByRole("table");
  await table.focus();
  const tasksSoFar = await noteTasks(tab);
  await tab.keyboard.press("End");
  await tab.getByText(`${numbers(CALLS, "10", 49600000).at(-1)}`, { exact: true }).waitFor();
  // Through the whole list in two seconds, frame by frame.
  const frames = await table.evaluate(async (it) => {
    it.scrollTop = 0;
    const times = [];
    let last = performance.now();
    const steps = 120;
    for (let n = 0; n <= steps; n++) {
      it.scrollTop = (it.scrollHeight * n) / steps;
      await new Promise((drawn) => requestAnimationFrame(drawn));
      const now = performance.now();
      times.push(Math.round(now - last));
      last = now;
    }
    return times.sort((a, b) => a - b);
  });
  const tasks = await tasksSoFar();
  console.log(`frames: median ${frames[60]} ms, longest ${frames.at(-1)} ms; longest tasks: ${tasks} ms`);
  assert.ok(frames[60] <= 34, `the median frame took ${frames[60]} ms`);
  assert.ok(tasks[0] < 100, `long tasks: ${tasks}`);
  assert.ok((await tab.getByRole("row").count()) < 80, "only the rows in sight exist");
  assert.deepEqual(tab.problems, []);
  await tab.end();
});
