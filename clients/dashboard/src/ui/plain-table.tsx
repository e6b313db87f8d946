import type { ReactNode } from "react";
import { classes } from "./classes";
import css from "./plain-table.module.css";

/** A table of a few rows. */
export function Plain(props: {
  label: string;
  head: ReactNode[];
  rows: { key: string; cells: ReactNode[] }[];
  /** The places of the columns whose numbers stand below each other. */
  end?: number[];
  /** The places of the columns that are left out on narrow screens. */
  wide?: number[];
}) {
  const end = (place: number) =>
    classes(props.end?.includes(place) && css.end, props.wide?.includes(place) && css.wide) || undefined;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
    <section className={css.scroll} aria-label={props.label} tabIndex={0}>
      <table className={css.table}>
        <thead>
          <tr>
            {props.head.map((title, place) => (
              <th key={place} scope="col" className={end(place)}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={row.key}>
              {row.cells.map((cell, place) => (
                <td key={place} className={end(place)}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
