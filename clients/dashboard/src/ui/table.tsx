import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useRef } from "react";
import { Link } from "wouter";
import { navigate } from "../router";
import { t } from "../text/en";
import { classes } from "./classes";
import { useNarrow, useRowHeight } from "./media";
import css from "./table.module.css";

/** A column of a table. */
export interface Column<T> {
  id: string;
  title: ReactNode;
  /** Its width as a track of a CSS grid, for example `90px` or `minmax(120px, 2fr)`. */
  width: string;
  align?: "end";
  cell: (row: T) => ReactNode;
  /** Left out on narrow screens. */
  wide?: boolean;
  /** What screen readers say in place of an empty title. */
  label?: string;
}

/** Browsers cannot make an element higher than this many pixels. */
const HIGHEST = 15_000_000;

interface Props<T> {
  label: string;
  columns: Column<T>[];
  count: number;
  /** Returns the row at a place, or undefined if it is being loaded. */
  row: (index: number) => T | undefined;
  rowKey: (row: T, index: number) => string;
  /** The page that a row leads to. The cell of the first column becomes the link. */
  href?: (row: T) => string;
  /** Says which rows are in sight, so that they can be loaded. */
  onRange?: (first: number, last: number) => void;
  /** True to dim a row. */
  dim?: (row: T) => boolean;
  empty?: ReactNode;
  loading?: boolean;
  /** The height in rows, if the table does not fill its place. */
  maxRows?: number;
  footer?: ReactNode;
}

/** A table of any length: only the rows in sight exist. Arrow keys, Page Up and Down, Home and End move between rows. */
export function Table<T>(props: Props<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useNarrow();
  const height = useRowHeight();
  const most = Math.floor(HIGHEST / height);
  const count = Math.min(props.count, most);
  const columns = narrow ? props.columns.filter((it) => !it.wide) : props.columns;
  const tracks = columns.map((it) => it.width).join(" ");
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  const { onRange } = props;
  useEffect(() => {
    if (count > 0) onRange?.(first, last);
  }, [first, last, count, onRange]);
  useEffect(() => {
    if (height > 0) virtual.measure();
  }, [virtual, height]);

  // The row that is to have the focus. It may first have to be scrolled into being.
  const wanted = useRef<number>(undefined);
  const focusRow = useCallback(
    (index: number) => {
      wanted.current = index;
      virtual.scrollToIndex(index);
      const focus = (frames: number) => {
        if (wanted.current !== index) return;
        const found = scroller.current?.querySelector<HTMLElement>(`[data-index="${index}"]`);
        if (!found && frames > 0) {
          requestAnimationFrame(() => focus(frames - 1));
          return;
        }
        wanted.current = undefined;
        found?.focus();
      };
      focus(20);
    },
    [virtual],
  );
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    const target = event.target as HTMLElement;
    const at = wanted.current ?? Number(target.closest<HTMLElement>("[data-index]")?.dataset.index ?? -1);
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / height) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1 }[
      event.key
    ];
    if (to !== undefined && count > 0 && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      focusRow(Math.max(0, Math.min(count - 1, to)));
    } else if (event.key === "Enter" && target.dataset.index !== undefined) {
      const row = props.row(at);
      if (row && props.href) navigate(props.href(row));
    }
  };

  return (
    <div className={classes(css.frame, props.maxRows === undefined && css.filling)}>
      <div
        ref={scroller}
        className={css.scroller}
        style={props.maxRows === undefined ? undefined : { maxHeight: (props.maxRows + 1) * height }}
        role="table"
        aria-label={props.label}
        aria-rowcount={props.count + 1}
        aria-colcount={columns.length}
        aria-busy={props.loading}
        onKeyDown={onKeyDown}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
        tabIndex={0}
      >
        <div role="row" aria-rowindex={1} className={css.header} style={{ gridTemplateColumns: tracks }}>
          {columns.map((column) => (
            <div role="columnheader" key={column.id} className={column.align && css.end}>
              {column.title || <span className="visually-hidden">{column.label}</span>}
            </div>
          ))}
        </div>
        <div role="presentation" className={css.body} style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = props.row(item.index);
            return (
              <div
                role="row"
                key={row === undefined ? `loading ${item.index}` : props.rowKey(row, item.index)}
                data-index={item.index}
                aria-rowindex={item.index + 2}
                tabIndex={-1}
                className={classes(css.row, props.href && css.link, row !== undefined && props.dim?.(row) && css.dim)}
                style={{ gridTemplateColumns: tracks, height, transform: `translateY(${item.start}px)` }}
              >
                {columns.map((column, place) => (
                  <div role="cell" key={column.id} className={column.align && css.end}>
                    {row === undefined ? (
                      <span className={css.loading} />
                    ) : place === 0 && props.href ? (
                      <Link to={props.href(row)} className={css.stretched}>
                        {column.cell(row)}
                      </Link>
                    ) : (
                      column.cell(row)
                    )}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
        {props.count === 0 && !props.loading && (
          <div role="row" className={css.emptyRow} tabIndex={-1}>
            <div role="cell" aria-colspan={columns.length} tabIndex={-1}>
              {props.empty}
            </div>
          </div>
        )}
        {props.count === 0 && props.loading && <p className={css.loadingText}>{t.table.loading}</p>}
      </div>
      {(props.footer || props.count > most) && (
        <div className={css.footer}>
          {props.count > most && <span>{t.table.tooMany(most.toLocaleString("en"))}</span>}
          {props.footer}
        </div>
      )}
    </div>
  );
}
