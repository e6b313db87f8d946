import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { CallService, type StatisticsBy, type StatisticsPoint, type StatisticsSeries } from "@trunkline/client";
import { useNow } from "../ui/time";
import { useScope } from "./hooks";

/** A period until now, and the steps that a chart of it has, in seconds. */
export const PERIODS = {
  hour: { seconds: 3600, step: 60 },
  day: { seconds: 86_400, step: 1_800 },
} as const;

/** The name of a period. */
export type Period = keyof typeof PERIODS;

/** What to count. */
export interface Wanted {
  period: Period;
  by?: StatisticsBy;
  /** True for the counts of each step. */
  steps?: boolean;
  queueId?: bigint;
  enabled?: boolean;
}

/** Asks for statistics, and again every few seconds. */
export function useStatistics({ period, by, steps, queueId, enabled }: Wanted) {
  const { seconds, step } = PERIODS[period];
  const scope = useScope();
  // The period moves on by a minute at a time, so that requests in the same minute are the same.
  const to = Math.floor(useNow(15_000) / 60_000) * 60_000;
  const start = to / 1000 - seconds;
  // The steps of an answer begin at its start, and those of a chart at whole multiples of a step.
  const from = (steps ? Math.floor(start / step) * step : start) * 1000;
  const query = useQuery(
    CallService.method.getStatistics,
    { ...scope, by, queueId, from: timestampFromMs(from), step: steps ? step : undefined },
    { enabled, refetchInterval: 5_000, placeholderData: keepPreviousData },
  );
  return { ...query, from: from / 1000, step, seconds };
}

/**
 * Returns the points of a series for each step from one time to another, with undefined where nothing was counted. The last
 * step is not over yet, and would look as if less and less was dialed; it is left out unless it is all there is.
 */
export function everyStep(
  series: StatisticsSeries | undefined,
  from: number,
  to: number,
  step: number,
): { times: number[]; points: (StatisticsPoint | undefined)[] } {
  const known = new Map(series?.points.map((it) => [it.at ? timestampMs(it.at) / 1000 : 0, it]));
  const times: number[] = [];
  for (let at = Math.floor(from / step) * step; at <= to; at += step) times.push(at);
  if (times.slice(0, -1).some((at) => known.has(at))) times.pop();
  return { times, points: times.map((at) => known.get(at)) };
}
