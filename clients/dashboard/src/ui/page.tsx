import { type ReactNode, useEffect, useRef } from "react";
import { useLocation } from "wouter";
import { t } from "../text/en";
import css from "./page.module.css";

/** The path of the page that was shown last. */
let shown: string | undefined;

/** The frame of a page: its heading, what it can do, and its content. */
export function Page(props: {
  title: string;
  subtitle?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  fill?: boolean;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  const [path] = useLocation();
  useEffect(() => {
    document.title = `${props.title} · ${t.product}`;
  }, [props.title]);
  // On another page, a keyboard and a screen reader begin at its heading. The first page is left as the browser opens it.
  useEffect(() => {
    if (shown !== undefined && shown !== path) heading.current?.focus({ preventScroll: true });
    shown = path;
  }, [path]);
  return (
    <div className={props.fill ? css.fill : css.page}>
      <div className={css.head}>
        <div className={css.titles}>
          <h1 ref={heading} tabIndex={-1}>
            {props.title}
          </h1>
          {props.subtitle && <div className={css.subtitle}>{props.subtitle}</div>}
        </div>
        {props.actions && <div className={css.actions}>{props.actions}</div>}
      </div>
      {props.children}
    </div>
  );
}

/** A part of a page with a border and a heading. */
export function Card(props: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  flush?: boolean;
  id?: string;
  label?: string;
}) {
  return (
    <section className={css.card} id={props.id} aria-label={props.label}>
      {(props.title || props.aside) && (
        <div className={css.cardHead}>
          {props.title && <h2>{props.title}</h2>}
          {props.aside && <div className={css.aside}>{props.aside}</div>}
        </div>
      )}
      <div className={props.flush ? css.flush : css.cardBody}>{props.children}</div>
    </section>
  );
}
