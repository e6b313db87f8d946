import { useCallback, useState } from "react";
import { focusWrong } from "../forms/focus";
import type { Form } from "../forms/form";

/** A form whose message is at a path of the request, such as `limits.`. */
export type Sent = Form | [form: Form, prefix: string];

/** A request that a page sends: whether it is under way, and why it failed. */
export interface Send {
  busy: boolean;
  error: unknown;
  /** Forgets the error. */
  clear: () => void;
  /** Sends the request, and shows at the fields of the forms what the server refuses. Returns undefined if it failed. */
  run: <T>(work: () => Promise<T>, ...forms: Sent[]) => Promise<T | undefined>;
}

/** Sends requests one after the other. */
export function useSend(): Send {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = useCallback(async <T>(work: () => Promise<T>, ...forms: Sent[]): Promise<T | undefined> => {
    setBusy(true);
    setError(undefined);
    try {
      return await work();
    } catch (failure) {
      setError(failure);
      for (const it of forms) {
        if (Array.isArray(it)) it[0].refuse(failure, it[1]);
        else it.refuse(failure);
      }
      if (forms.length > 0) focusWrong();
      return undefined;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, error, clear: () => setError(undefined), run };
}
