import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type CallFilterSchema, isLost } from "@trunkline/client";
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../api/transport";
import { t } from "../text/en";
import { Banner, ErrorBanner } from "../ui/banner";
import { Button } from "../ui/button";
import controls from "../ui/controls.module.css";
import { Buttons, Dialog } from "../ui/dialog";
import { count } from "../ui/numbers";
import css from "./bulk.module.css";

/** Which calls something is done to. */
export type Filter = Omit<MessageInitShape<typeof CallFilterSchema>, "$typeName">;

/** From this number of calls on, it has to be typed before they are changed. */
const MANY = 1000n;
/** How often a stream that broke is continued. */
const TRIES = 5;

interface Counts {
  matched?: bigint;
  done: bigint;
  hangingUp: bigint;
  skipped: bigint;
  over: boolean;
  resumeToken?: string;
}

type Kind = "cancel" | "retry";

/** The answers of both methods, as the same counts. */
async function* run(
  kind: Kind,
  request: { filter: Filter; clientId?: bigint; dryRun?: boolean; expectedCount?: bigint; resumeToken?: string },
  hangUpLive: boolean,
  signal: AbortSignal,
): AsyncGenerator<Counts> {
  if (kind === "cancel") {
    for await (const it of api.calls.cancelCalls({ ...request, hangUpLive }, { signal })) {
      const { matchedCount: matched, canceledCount: done, hangingUpCount: hangingUp, skippedCount: skipped } = it;
      yield { matched, done, hangingUp, skipped, over: it.done, resumeToken: it.resumeToken };
    }
    return;
  }
  for await (const it of api.calls.retryCalls(request, { signal })) {
    const { matchedCount: matched, retriedCount: done, skippedCount: skipped } = it;
    yield { matched, done, hangingUp: 0n, skipped, over: it.done, resumeToken: it.resumeToken };
  }
}

/** Cancels or retries all calls that match: first they are counted, then the viewer confirms, then the server does it in groups. */
export function Bulk(props: { kind: Kind; filter: Filter; clientId?: bigint; onClose: () => void }) {
  const { kind, filter, clientId } = props;
  const [matched, setMatched] = useState<bigint>();
  const [counts, setCounts] = useState<Counts>();
  const [typed, setTyped] = useState("");
  const [hangUp, setHangUp] = useState(false);
  const [stopped, setStopped] = useState(false);
  const [error, setError] = useState<unknown>();
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  // The filter is a new object with each drawing of the page below.
  const wanted = useRef({ filter, clientId });
  const tally = useCallback(
    async (hangUpLive: boolean) => {
      running.current?.abort();
      const counting = new AbortController();
      running.current = counting;
      setMatched(undefined);
      setError(undefined);
      try {
        for await (const it of run(kind, { ...wanted.current, dryRun: true }, hangUpLive, counting.signal)) {
          if (it.matched !== undefined) setMatched(it.matched);
        }
      } catch (failure) {
        if (!counting.signal.aborted) setError(failure);
      }
    },
    [kind],
  );
  useEffect(() => void tally(hangUp), [tally, hangUp]);

  const confirm = async () => {
    const work = new AbortController();
    running.current = work;
    setError(undefined);
    let sum: Counts = { matched, done: 0n, hangingUp: 0n, skipped: 0n, over: false };
    setCounts(sum);
    for (let tries = 0; tries < TRIES && !sum.over; tries++) {
      // The counts of a stream that continues another one begin at 0.
      const before = sum;
      const request = { ...wanted.current, expectedCount: matched, resumeToken: sum.resumeToken };
      try {
        for await (const it of run(kind, request, hangUp, work.signal)) {
          sum = {
            ...it,
            matched,
            done: before.done + it.done,
            hangingUp: before.hangingUp + it.hangingUp,
            skipped: before.skipped + it.skipped,
          };
          setCounts(sum);
        }
      } catch (failure) {
        if (work.signal.aborted) return;
        if (!isLost(failure) || sum.resumeToken === undefined) {
          setError(failure);
          if (sum.done === 0n) setCounts(undefined);
          return;
        }
        await new Promise((later) => setTimeout(later, 500 * 2 ** tries));
      }
    }
  };

  const changed = error !== undefined && ConnectError.from(error).code === Code.FailedPrecondition;
  const texts = t.bulk;
  return (
    <Dialog title={kind === "cancel" ? texts.cancelTitle : texts.retryTitle} onClose={props.onClose}>
      {counts ? (
        <Progress kind={kind} counts={counts} stopped={stopped} />
      ) : (
        <>
          <p role="status">
            {matched === undefined
              ? error === undefined && texts.counting
              : matched === 0n
                ? texts.none
                : kind === "cancel"
                  ? texts.cancelCount(count(matched))
                  : texts.retryCount(count(matched))}
          </p>
          {kind === "cancel" && (
            <label className={css.check}>
              <input
                type="checkbox"
                className={controls.check}
                checked={hangUp}
                onChange={(event) => setHangUp(event.target.checked)}
              />
              {texts.alsoLive}
            </label>
          )}
          {matched !== undefined && matched >= MANY && (
            <label className={css.confirm}>
              <span>{texts.confirm(`${matched}`)}</span>
              <input
                className={controls.input}
                inputMode="numeric"
                autoComplete="off"
                value={typed}
                onChange={(event) => setTyped(event.target.value)}
              />
            </label>
          )}
        </>
      )}
      {changed ? <Banner tone="warn">{texts.changed}</Banner> : <ErrorBanner error={error} />}
      <Buttons>
        {counts && !counts.over && !stopped && error === undefined ? (
          <Button
            onClick={() => {
              running.current?.abort();
              setStopped(true);
            }}
          >
            {texts.stop}
          </Button>
        ) : (
          <Button onClick={props.onClose}>{counts ? t.actions.close : t.actions.back}</Button>
        )}
        {!counts && error !== undefined && <Button onClick={() => tally(hangUp)}>{texts.countAgain}</Button>}
        {!counts && error === undefined && matched !== undefined && matched > 0n && (
          <Button
            kind={kind === "cancel" ? "danger" : "primary"}
            disabled={matched >= MANY && typed.replace(/\D/g, "") !== `${matched}`}
            onClick={confirm}
          >
            {kind === "cancel" ? texts.cancel(count(matched)) : texts.retry(count(matched))}
          </Button>
        )}
      </Buttons>
    </Dialog>
  );
}

function Progress({ kind, counts, stopped }: { kind: Kind; counts: Counts; stopped: boolean }) {
  const all = counts.matched ?? 0n;
  const handled = counts.done + counts.hangingUp + counts.skipped;
  return (
    <>
      <progress
        className={css.bar}
        max={Number(all)}
        value={counts.over ? Number(all) : Number(handled)}
        aria-label={t.bulk.progress(count(handled), count(all))}
      />
      <div role="status" className={css.result}>
        <p>
          {counts.over || stopped
            ? kind === "cancel"
              ? t.bulk.canceled(count(counts.done))
              : t.bulk.retried(count(counts.done))
            : t.bulk.progress(count(handled), count(all))}
        </p>
        {counts.hangingUp > 0n && <p>{t.bulk.hangingUp(count(counts.hangingUp))}</p>}
        {counts.over && counts.skipped > 0n && <p>{t.bulk.skipped(count(counts.skipped))}</p>}
        {stopped && <p>{t.bulk.stopped}</p>}
      </div>
    </>
  );
}
