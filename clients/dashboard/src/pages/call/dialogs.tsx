import { Code, ConnectError } from "@connectrpc/connect";
import type { Call } from "@trunkline/client";
import { api } from "../../api/transport";
import { t } from "../../text/en";
import { Confirm } from "../../ui/confirm";
import { say } from "../../ui/toast";

/** Asks before one failed call is dialed again. */
export function RetryCall({ call, number, onClose }: { call: Call; number: string; onClose: () => void }) {
  const run = async () => {
    let retried = 0n;
    const filter = { callIdPrefix: call.callId, status: call.status };
    for await (const it of api.calls.retryCalls({ filter })) retried = it.retriedCount;
    if (retried === 0n) throw new ConnectError(t.callPage.retryNone, Code.FailedPrecondition);
    say(t.callPage.retryDone);
  };
  return (
    <Confirm title={t.callPage.retryTitle} action={t.callPage.retry} run={run} onClose={onClose}>
      <p>{t.callPage.retryText(number)}</p>
    </Confirm>
  );
}
