import { type Queue, QueueKind } from "@trunkline/client";
import { useMemo } from "react";
import { everyStep, useStatistics } from "../../api/statistics";
import { Activity } from "../../chart/activity";
import { t } from "../../text/en";
import { Card } from "../../ui/page";

/** What a queue dialed in the last hour. Quick calls are not counted by queue. */
export function QueueActivity({ queue }: { queue: Queue }) {
  const counted = queue.kind !== QueueKind.QUICK;
  const { data, from, seconds, step } = useStatistics({
    period: "hour",
    steps: true,
    queueId: queue.queueId,
    enabled: counted,
  });
  const series = data?.series[0];
  const over = useMemo(() => everyStep(series, from, from + seconds, step), [series, from, seconds, step]);
  if (!counted) return null;
  return (
    <Card title={t.overview.activity} aside={t.overview.periods.hour}>
      <Activity {...over} total={series?.total} height={150} />
    </Card>
  );
}
