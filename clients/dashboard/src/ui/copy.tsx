import { Check, Copy } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { t } from "../text/en";
import { Button } from "./button";
import { say } from "./toast";

/** Copies a text. Over plain http browsers offer no clipboard, but the old command still works. */
export async function copyText(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // The permission was denied; the old command may still work.
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.className = "visually-hidden";
  // A modal dialog makes everything outside of it inert.
  const parent = document.querySelector("dialog[open]") ?? document.body;
  const focused = document.activeElement;
  parent.append(area);
  area.select();
  let copied = false;
  try {
    copied = document.execCommand("copy");
  } catch {
    copied = false;
  }
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}

/** A button that copies a text. */
export function CopyButton({
  text,
  label,
  children,
}: {
  text: string | (() => string);
  label: string;
  children?: ReactNode;
}) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    const done = await copyText(typeof text === "string" ? text : text());
    setCopied(done);
    say(done ? t.actions.copied : t.actions.notCopied);
  };
  const Icon = copied ? Check : Copy;
  return (
    <Button
      kind={children ? "plain" : "ghost"}
      small={!children}
      icon={!children}
      aria-label={label}
      title={label}
      onClick={copy}
    >
      <Icon size={children ? 14 : 13} aria-hidden />
      {children}
    </Button>
  );
}
