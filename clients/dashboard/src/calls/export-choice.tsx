import type { Call } from "@trunkline/client";
import { useState } from "react";
import { t } from "../text/en";
import { ErrorBanner } from "../ui/banner";
import controls from "../ui/controls.module.css";
import { count } from "../ui/numbers";
import { say } from "../ui/toast";
import { exportCalls, type Format } from "./export";

/** The choice of a form in which calls are written to a file, and how far that is. */
export function Export({ name, pages }: { name: string; pages: () => AsyncIterable<Call[]> }) {
  const [done, setDone] = useState<number>();
  const [error, setError] = useState<unknown>();
  const run = async (format: Format) => {
    setDone(0);
    setError(undefined);
    try {
      say(t.queue.exported(count(await exportCalls(format, name, pages(), setDone))));
    } catch (failure) {
      setError(failure);
    }
    setDone(undefined);
  };
  return (
    <>
      <select
        className={controls.select}
        aria-label={t.queue.export}
        value=""
        disabled={done !== undefined}
        onChange={(event) => run(event.target.value as Format)}
      >
        <option value="">{done === undefined ? t.queue.export : t.queue.exporting(count(done))}</option>
        <option value="csv">{t.queue.exportCsv}</option>
        <option value="jsonl">{t.queue.exportJson}</option>
      </select>
      <ErrorBanner error={error} onDismiss={() => setError(undefined)} />
    </>
  );
}
