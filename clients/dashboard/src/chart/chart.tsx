import { useEffect, useRef, useState } from "react";
import type uPlot from "uplot";
import { settings } from "../settings";
import { useStore } from "../store";
import { classes } from "../ui/classes";
import tones from "../ui/controls.module.css";
import type { Tone } from "../ui/status";
import { absolute, useZone } from "../ui/time";
import css from "./chart.module.css";

/** A line of a chart. */
export interface Series {
  label: string;
  tone: Tone | "Accent";
  /** A number for each time, or null where there is none. */
  values: (number | null)[];
  /** Fills the area below the line. */
  filled?: boolean;
  write: (value: number) => string;
}

interface Props {
  /** What the chart shows, for screen readers. */
  label: string;
  /** Seconds since the epoch, ascending. */
  times: number[];
  series: Series[];
  height?: number;
  /** The largest value of the axis. Default: as the values need. */
  max?: number;
}

/** Lines over time. The library that draws them is loaded with the first chart. */
export function Chart({ label, times, series, height = 170, max }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [at, setAt] = useState<number>();
  const zone = useZone();
  const { theme } = useStore(settings);
  const dark = useDark();
  const names = series.map((it) => it.label + it.tone).join();
  const latest = useRef({ times, series });
  latest.current = { times, series };

  // biome-ignore lint/correctness/useExhaustiveDependencies: `names`, `theme` and `dark` stand for what is drawn anew.
  useEffect(() => {
    let gone = false;
    let made: uPlot | undefined;
    let resize: ResizeObserver | undefined;
    void import("./plot").then(({ draw }) => {
      const element = place.current;
      if (gone || !element) return;
      made = draw(element, { ...latest.current, height, max, utc: zone === "utc", onCursor: setAt });
      plot.current = made;
      resize = new ResizeObserver(() => made?.setSize({ width: element.clientWidth, height }));
      resize.observe(element);
    });
    return () => {
      gone = true;
      resize?.disconnect();
      made?.destroy();
      plot.current = undefined;
    };
  }, [names, theme, dark, zone, height, max]);

  useEffect(() => {
    plot.current?.setData([times, ...series.map((it) => it.values)]);
  }, [times, series]);

  const shown = at !== undefined && at < times.length ? at : times.length - 1;
  return (
    <figure className={css.chart}>
      <figcaption className={css.readout}>
        {series.map((it) => {
          const value = it.values[shown];
          return (
            <span key={it.label} className={css.entry}>
              <span className={classes(tones.badge, it.tone === "Accent" ? css.accent : tones[`tone${it.tone}`])}>
                {it.label}
              </span>
              <strong>{value === null || value === undefined ? "–" : it.write(value)}</strong>
            </span>
          );
        })}
        <span className={css.when}>{times[shown] !== undefined && absolute(times[shown] * 1000, zone)}</span>
      </figcaption>
      <div ref={place} className={css.place} style={{ height }} role="img" aria-label={label} />
    </figure>
  );
}

function useDark(): boolean {
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const media = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setDark(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, []);
  return dark;
}
