import { classes } from "./classes";
import css from "./gauge.module.css";
import { count } from "./numbers";

/** How much of a limit is in use. */
export function Gauge({ value, max, label }: { value: number; max: number; label: string }) {
  const part = max > 0 ? Math.min(1, value / max) : 0;
  return (
    <span className={css.gauge}>
      <meter className="visually-hidden" min={0} max={max} value={value} aria-label={label}>
        {value}
      </meter>
      <span className={css.track} aria-hidden="true">
        <span
          className={classes(css.fill, part >= 1 ? css.full : part >= 0.85 && css.near)}
          style={{ width: `${part * 100}%` }}
        />
      </span>
      <span>
        {count(value)} <span className={css.max}>/ {count(max)}</span>
      </span>
    </span>
  );
}
