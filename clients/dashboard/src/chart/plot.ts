import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import type { Series } from "./chart";

/** Returns a colour of the stylesheet as the canvas can read it, in the theme that is shown. */
function colour(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Draws a chart into an element. */
export function draw(
  element: HTMLElement,
  it: {
    times: number[];
    series: Series[];
    height: number;
    max: number | undefined;
    utc: boolean;
    onCursor: (index: number | undefined) => void;
  },
): uPlot {
  const ink = colour(element, "--ink-3");
  const line = colour(element, "--line");
  const two = (n: number) => `${n}`.padStart(2, "0");
  const clock = (seconds: number) => {
    const date = new Date(seconds * 1000);
    return it.utc
      ? `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
      : `${two(date.getHours())}:${two(date.getMinutes())}`;
  };
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px sans-serif" };
  return new uPlot(
    {
      width: element.clientWidth,
      height: it.height,
      legend: { show: false },
      padding: [8, 18, 0, 0],
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: (_, __, most) => [0, it.max ?? Math.max(1, most * 1.08)] } },
      axes: [
        { ...axis, values: (_, at) => at.map(clock), size: 28, space: 60 },
        {
          ...axis,
          size: 44,
          space: 34,
          values: (_, at) => at.map((value) => it.series[0]?.write(value) ?? `${value}`),
        },
      ],
      series: [
        {},
        ...it.series.map((series) => {
          const stroke = colour(element, series.tone === "Accent" ? "--accent" : `--${series.tone.toLowerCase()}-fill`);
          return {
            label: series.label,
            stroke,
            width: 1.5,
            fill: series.filled ? `color-mix(in oklch, ${stroke} 16%, transparent)` : undefined,
            points: { show: !series.filled, size: 4, fill: stroke },
            spanGaps: false,
          };
        }),
      ],
      hooks: { setCursor: [(plot) => it.onCursor(plot.cursor.idx ?? undefined)] },
    },
    [it.times, ...it.series.map((series) => series.values)],
    element,
  );
}
