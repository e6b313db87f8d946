import { type ReactNode, useState } from "react";
import { t } from "../text/en";
import { ErrorBanner } from "./banner";
import { Button } from "./button";
import { Buttons, Dialog } from "./dialog";

/** Asks before something is done, and says what went wrong if it fails. */
export function Confirm(props: {
  title: string;
  children: ReactNode;
  action: string;
  danger?: boolean;
  disabled?: boolean;
  /** What is done. The dialog closes when it is. */
  run: () => Promise<unknown>;
  onClose: () => void;
}) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await props.run();
      props.onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      {props.children}
      <ErrorBanner error={error} />
      <Buttons>
        <Button onClick={props.onClose}>{t.actions.back}</Button>
        <Button kind={props.danger ? "danger" : "primary"} disabled={busy || props.disabled} onClick={run}>
          {busy ? t.actions.working : props.action}
        </Button>
      </Buttons>
    </Dialog>
  );
}
