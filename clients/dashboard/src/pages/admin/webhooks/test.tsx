import type { TestWebhookResponse } from "@trunkline/client";
import { useEffect, useState } from "react";
import { api } from "../../../api/transport";
import { webhooks as w } from "../../../text/en/webhooks";
import { Banner, ErrorBanner } from "../../../ui/banner";
import { Dialog } from "../../../ui/dialog";

/** Posts an event of type `test`, and says what the receiver answered. */
export function TestWebhook({ webhookId, onClose }: { webhookId: bigint; onClose: () => void }) {
  const [result, setResult] = useState<TestWebhookResponse>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    const aborted = new AbortController();
    api.admin
      .testWebhook({ webhookId }, { signal: aborted.signal })
      .then(setResult, (failure) => aborted.signal.aborted || setError(failure));
    return () => aborted.abort();
  }, [webhookId]);
  const status = result?.httpStatus;
  return (
    <Dialog title={w.testTitle} onClose={onClose}>
      <ErrorBanner error={error} />
      {!result && !error && <p role="status">{w.testing}</p>}
      {result && (
        <Banner tone={result.ok ? "good" : "bad"}>
          <strong>
            {status === undefined ? w.testNone : (result.ok ? w.testOk : w.testBad)(status, result.tookMs)}
          </strong>
          {result.error && <p>{result.error}</p>}
        </Banner>
      )}
    </Dialog>
  );
}
