import type { StatisticsPoint } from "@trunkline/client";
import { useMemo } from "react";
import { t } from "../text/en";
import { count } from "../ui/numbers";
import { Chart } from "./chart";

/** Attempts that began and answers, step by step. */
export function Activity(props: {
  times: number[];
  points: (StatisticsPoint | undefined)[];
  total: StatisticsPoint | undefined;
  height?: number;
}) {
  const { points, total } = props;
  const series = useMemo(() => {
    const line = (label: string, tone: "Accent" | "Good", of: (point: StatisticsPoint) => bigint) => ({
      label,
      tone,
      filled: true,
      values: points.map((it) => (it ? Number(of(it)) : 0)),
      write: (value: number) => count(Math.round(value)),
    });
    return [
      line(t.overview.attempts, "Accent", (it) => it.attempts),
      line(t.overview.answered, "Good", (it) => it.answered),
    ];
  }, [points]);
  const label = t.overview.activityLabel(count(total?.attempts ?? 0n), count(total?.answered ?? 0n));
  return <Chart label={label} times={props.times} series={series} height={props.height} />;
}
