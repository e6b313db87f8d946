import { Code, ConnectError } from "@connectrpc/connect";
import { requestId, violations } from "@trunkline/client";
import { CircleCheck, Info, TriangleAlert, X } from "lucide-react";
import type { ReactNode } from "react";
import { t } from "../text/en";
import { Button } from "./button";
import { classes } from "./classes";
import css from "./controls.module.css";

/** A message inside a page. */
export function Banner(props: {
  tone: "bad" | "warn" | "note" | "good";
  children: ReactNode;
  action?: ReactNode;
  live?: boolean;
}) {
  const Icon = props.tone === "good" ? CircleCheck : props.tone === "note" ? Info : TriangleAlert;
  return (
    <div
      className={classes(css.banner, css[props.tone])}
      role={props.live === false ? undefined : props.tone === "bad" ? "alert" : "status"}
    >
      <Icon size={16} aria-hidden />
      <div>{props.children}</div>
      {props.action}
    </div>
  );
}

/** The name of an error's code, as in `permission_denied`. */
function codeName(error: ConnectError): string {
  return (Code[error.code] ?? "Unknown").replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase();
}

/** Says what to do about an error. */
export function whatToDo(error: unknown): string {
  return t.errors.byCode[codeName(ConnectError.from(error))] ?? t.errors.byCode.unknown ?? "";
}

/** What went wrong, in the server's words, and what to do about it. Draws nothing without an error. */
export function ErrorBanner(props: {
  error: unknown;
  onRetry?: () => void;
  onDismiss?: () => void;
  shownFields?: readonly string[];
}) {
  if (!props.error) return null;
  const error = ConnectError.from(props.error);
  const fields = violations(error).filter(({ field }) => !props.shownFields?.includes(field));
  // A failed fetch has only the browser's words, which say nothing.
  const said = error.code === Code.Unknown || error.code === Code.Unavailable ? "" : error.rawMessage;
  return (
    <Banner
      tone="bad"
      action={
        props.onRetry ? (
          <Button small onClick={props.onRetry}>
            {t.errors.again}
          </Button>
        ) : props.onDismiss ? (
          <Button kind="ghost" small icon aria-label={t.actions.dismiss} onClick={props.onDismiss}>
            <X size={14} aria-hidden />
          </Button>
        ) : undefined
      }
    >
      <strong>{whatToDo(error)}</strong>
      {said && fields.length === 0 && <p className={css.said}>{said}</p>}
      {requestId(error) && (
        <p className={css.said}>
          {t.errors.request} <code>{requestId(error)}</code>
        </p>
      )}
      {fields.length > 0 && (
        <ul>
          {fields.map(({ field, description }) => (
            <li key={`${field} ${description}`} className={css.said}>
              {field && <code>{field}</code>} {description}
            </li>
          ))}
        </ul>
      )}
    </Banner>
  );
}
