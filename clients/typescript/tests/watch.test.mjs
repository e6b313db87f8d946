import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../dist/gen/google/rpc/error_details_pb.js";
import {
  CallEventSchema,
  CallEventType,
  CallService,
  isLost,
  isRefused,
  reason,
  requestId,
  retryAfter,
  violations,
  watchCalls,
} from "../dist/index.js";

const event = (seq, type = CallEventType.RINGING) =>
  create(CallEventSchema, { seq: BigInt(seq), type, callId: `call-${seq}`, at: timestampFromMs(1000) });
const complete = (seq) => create(CallEventSchema, { seq: BigInt(seq), type: CallEventType.SNAPSHOT_COMPLETE });
const backoff = { min: 1, max: 2 };

/** A client of a server that answers each connection with the next of these scripts. */
function serving(...scripts) {
  const requests = [];
  const transport = createRouterTransport(({ service }) => {
    service(CallService, {
      async *watchCalls(request, context) {
        requests.push(request);
        const script = scripts[requests.length - 1];
        if (!script) await new Promise((ended) => context.signal.addEventListener("abort", ended));
        else yield* script(context.signal);
      },
    });
  });
  return { client: createClient(CallService, transport), requests };
}

async function* send(...events) {
  for (const it of events) yield { event: it };
}

const untilAborted = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

async function take(count, events) {
  const taken = [];
  for await (const it of events) {
    taken.push(it.seq);
    if (taken.length === count) break;
  }
  return taken.map(Number);
}

test("a stream that breaks continues after its last event", async () => {
  const { client, requests } = serving(
    async function* () {
      yield* send(event(0, CallEventType.SNAPSHOT), complete(7), event(8), event(9));
      throw new ConnectError("gone", Code.Unavailable);
    },
    () => send(event(10), event(11)),
  );
  const states = [];
  const seen = await take(6, watchCalls(client, { backoff, onState: (it) => states.push(it.kind) }));
  assert.deepEqual(seen, [0, 7, 8, 9, 10, 11]);
  assert.deepEqual(
    requests.map((it) => it.after),
    [undefined, 9n],
  );
  assert.ok(requests.every((it) => it.heartbeat));
  assert.deepEqual(states.slice(0, 4), ["connecting", "catching-up", "live", "away"]);
});

test("a snapshot that breaks off begins anew, and says that it replaces what was known", async () => {
  const { client, requests } = serving(
    async function* () {
      yield* send(event(0, CallEventType.SNAPSHOT));
      throw new ConnectError("gone", Code.Internal);
    },
    () => send(event(0, CallEventType.SNAPSHOT), complete(3)),
  );
  const fresh = [];
  const onState = (it) => it.kind === "connecting" && fresh.push(it.fresh);
  await take(3, watchCalls(client, { backoff, onState }));
  assert.deepEqual(fresh, [true, true]);
  assert.equal(requests[1].after, undefined);
});

test("a cursor that the server does not know is dropped", async () => {
  const { client, requests } = serving(
    // biome-ignore lint/correctness/useYield: it fails before it yields.
    async function* () {
      throw new ConnectError("the cursor is beyond the last event", Code.OutOfRange);
    },
    () => send(complete(2)),
  );
  assert.deepEqual(await take(1, watchCalls(client, { backoff, after: 99n })), [2]);
  assert.deepEqual(
    requests.map((it) => it.after),
    [99n, undefined],
  );
});

test("a stream that falls silent is given up, and heartbeats move the cursor without being events", async () => {
  const { client, requests } = serving(
    async function* (signal) {
      yield* send(complete(1), event(5, CallEventType.HEARTBEAT));
      await untilAborted(signal);
    },
    () => send(event(6)),
  );
  const seen = await take(2, watchCalls(client, { backoff, silence: 40 }));
  assert.deepEqual(seen, [1, 6]);
  assert.equal(requests[1].after, 5n);
});

test("a refused key ends the iteration with the error", async () => {
  const { client } = serving(
    // biome-ignore lint/correctness/useYield: it fails before it yields.
    async function* () {
      throw new ConnectError("revoked", Code.Unauthenticated);
    },
  );
  await assert.rejects(take(1, watchCalls(client, { backoff })), (error) => isRefused(error) && !isLost(error));
});

test("the caller's signal ends the iteration without an error, also while it waits", async () => {
  const { client } = serving(() => send(complete(1)));
  const controller = new AbortController();
  const slow = { min: 60_000, max: 60_000 };
  const onState = (it) => it.kind === "away" && controller.abort();
  assert.deepEqual(await take(9, watchCalls(client, { backoff: slow, signal: controller.signal, onState })), [1]);
});

test("the details of an error are read", () => {
  const bare = new ConnectError("bad", Code.InvalidArgument);
  assert.deepEqual(
    [violations(bare), retryAfter(bare), reason(bare), requestId(bare)],
    [[], undefined, undefined, undefined],
  );
  const error = new ConnectError("full", Code.ResourceExhausted, undefined, [
    {
      desc: BadRequestSchema,
      value: { fieldViolations: [{ field: "data[0].action.Channel", description: "is required" }] },
    },
    { desc: RetryInfoSchema, value: { retryDelay: { seconds: 1n, nanos: 500_000_000 } } },
    { desc: ErrorInfoSchema, value: { reason: "LIMIT_REACHED", domain: "trunkline" } },
    { desc: RequestInfoSchema, value: { requestId: "42" } },
  ]);
  assert.deepEqual(violations(error), [{ field: "data[0].action.Channel", description: "is required" }]);
  assert.deepEqual([retryAfter(error), reason(error), requestId(error)], [1500, "LIMIT_REACHED", "42"]);
  assert.ok(isLost(new TypeError("Failed to fetch")), "a fetch that fails is a lost connection");
});
