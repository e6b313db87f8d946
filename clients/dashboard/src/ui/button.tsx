import type { ComponentProps } from "react";
import { Link } from "wouter";
import { classes } from "./classes";
import css from "./controls.module.css";

type Kind = "plain" | "primary" | "danger" | "ghost";

interface Look {
  kind?: Kind;
  small?: boolean;
  /** True for a button that shows only an icon. It then needs an `aria-label`. */
  icon?: boolean;
}

function look({ kind = "plain", small, icon }: Look, className?: string): string {
  return classes(css.button, kind !== "plain" && css[kind], small && css.small, icon && css.icon, className);
}

/** A button. It is of type `button` unless it says otherwise, so that none submits a form by accident. */
export function Button({ kind, small, icon, className, ...props }: ComponentProps<"button"> & Look) {
  return <button type="button" {...props} className={look({ kind, small, icon }, className)} />;
}

/** A link to another page that looks like a button. */
export function LinkButton({
  kind,
  small,
  icon,
  className,
  to,
  children,
}: Look & { to: string; className?: string; children: React.ReactNode }) {
  return (
    <Link to={to} className={look({ kind, small, icon }, className)}>
      {children}
    </Link>
  );
}
