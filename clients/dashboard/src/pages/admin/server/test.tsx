import type { TestServerResponse } from "@trunkline/client";
import { PlugZap } from "lucide-react";
import { useState } from "react";
import { api } from "../../../api/transport";
import { platform } from "../../../text/en/platform";
import { Banner, ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Card } from "../../../ui/page";
import { useSend } from "../../../ui/send";
import css from "../admin.module.css";

const s = platform.server;

/** Tests a server, and says what dialing needs and does not find there. */
export function TestServer({ code }: { code: string }) {
  const { busy, error, run } = useSend();
  const [result, setResult] = useState<TestServerResponse>();
  const test = async () => {
    setResult(undefined);
    setResult(await run(() => api.admin.testServer({ code })));
  };
  return (
    <Card
      title={s.test}
      aside={
        <Button disabled={busy} onClick={test}>
          <PlugZap size={14} aria-hidden />
          {busy ? s.testing : s.test}
        </Button>
      }
    >
      <div className={css.form}>
        <p className={css.text}>{s.testText}</p>
        <ErrorBanner error={error} />
        {result && (
          <Banner tone={result.ok ? "good" : "bad"}>
            <strong>{result.ok ? s.testOk : s.testBad}</strong>
            {result.asteriskVersion && <p>{s.testLogin(result.asteriskVersion, result.loginMs ?? 0)}</p>}
            {result.missing.length > 0 && (
              <ul className={css.list} aria-label={s.testMissing}>
                {result.missing.map((it) => (
                  <li key={it}>{it}</li>
                ))}
              </ul>
            )}
          </Banner>
        )}
        {result && result.warnings.length > 0 && (
          <Banner tone="warn">
            <strong>{s.testWarnings}</strong>
            <ul className={css.list}>
              {result.warnings.map((it) => (
                <li key={it}>{it}</li>
              ))}
            </ul>
          </Banner>
        )}
      </div>
    </Card>
  );
}
