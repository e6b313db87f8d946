import { Inbox, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import css from "./controls.module.css";

/** What is shown where there is nothing to show: why, and what to do about it. */
export function Empty(props: { title: string; children?: ReactNode; actions?: ReactNode; icon?: LucideIcon }) {
  const Icon = props.icon ?? Inbox;
  return (
    <div className={css.empty}>
      <Icon size={28} strokeWidth={1.5} aria-hidden />
      <h2>{props.title}</h2>
      {props.children && <p>{props.children}</p>}
      {props.actions && <div className={css.emptyActions}>{props.actions}</div>}
    </div>
  );
}
