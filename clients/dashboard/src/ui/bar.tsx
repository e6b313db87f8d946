import { Link } from "wouter";
import css from "./bar.module.css";
import { classes } from "./classes";
import tones from "./controls.module.css";
import type { Tone } from "./status";

/** A part of a stacked bar. */
export interface Part {
  id: string;
  label: string;
  count: number | bigint;
  tone: Tone;
  /** What the part leads to. */
  href?: string;
  help?: string;
}

const number = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

/** A bar whose parts are as long as their counts. Parts with a count of 0 are left out. */
export function StackedBar({ parts, label, thin }: { parts: Part[]; label: string; thin?: boolean }) {
  const shown = parts.filter((it) => it.count > 0);
  const all = shown.reduce((sum, it) => sum + Number(it.count), 0);
  const said = shown.map((it) => `${it.label} ${number.format(it.count)}`).join(", ");
  return (
    <div className={classes(css.bar, thin && css.thin)} role="img" aria-label={`${label}: ${said || 0}`}>
      {shown.map((it) => (
        <span
          key={it.id}
          className={classes(css.part, tones[`tone${it.tone}`])}
          style={{ flexGrow: Number(it.count) / all }}
          title={`${it.label}: ${number.format(it.count)} (${percent.format(Number(it.count) / all)})`}
        />
      ))}
    </div>
  );
}

/** What the colours of a stacked bar stand for, with counts, as links if the parts have some. */
export function Legend({ parts }: { parts: Part[] }) {
  const shown = parts.filter((it) => it.count > 0);
  return (
    <ul className={css.legend}>
      {shown.map((it) => (
        <li key={it.id} title={it.help}>
          {it.href ? (
            <Link to={it.href} className={css.entry}>
              <Entry part={it} />
            </Link>
          ) : (
            <span className={css.entry}>
              <Entry part={it} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

function Entry({ part }: { part: Part }) {
  return (
    <>
      <span className={classes(tones.badge, tones[`tone${part.tone}`])}>{part.label}</span>
      <strong>{number.format(part.count)}</strong>
    </>
  );
}
