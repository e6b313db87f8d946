import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef } from "react";
import { t } from "../text/en";
import { Button } from "./button";
import css from "./controls.module.css";

/** A modal dialog. It is mounted while it is open; Escape and a click beside it close it. */
export function Dialog(props: { title: string; onClose: () => void; wide?: boolean; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    // A form begins at its first field, and not at the button that closes the dialog.
    shown?.querySelector<HTMLElement>("form :is(input, select, textarea)")?.focus();
    return () => shown?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself.
    <dialog
      ref={dialog}
      className={css.dialog}
      data-wide={props.wide}
      aria-labelledby={title}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onClick={(event) => event.target === dialog.current && props.onClose()}
    >
      <div className={css.dialogHead}>
        <h2 id={title}>{props.title}</h2>
        <Button kind="ghost" icon aria-label={t.actions.close} onClick={props.onClose}>
          <X size={16} aria-hidden />
        </Button>
      </div>
      <div className={css.dialogBody}>{props.children}</div>
    </dialog>
  );
}

/** The buttons at the end of a dialog or form. */
export function Buttons({ children }: { children: ReactNode }) {
  return <div className={css.dialogFoot}>{children}</div>;
}
