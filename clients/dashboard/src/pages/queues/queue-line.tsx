import type { Queue } from "@trunkline/client";
import { Link } from "wouter";
import { t } from "../../text/en";
import { StackedBar } from "../../ui/bar";
import { count } from "../../ui/numbers";
import { progress, queueName, sums } from "./progress";
import css from "./queues.module.css";

/** A queue in one line: its name and how far it is. */
export function QueueLine({ queue }: { queue: Queue }) {
  const { all, live, ended } = sums(queue.counts);
  return (
    <Link to={`/queues/${queue.queueId}`} className={css.line}>
      <span className={css.lineName}>{queueName(queue)}</span>
      <StackedBar thin label={t.queues.progress} parts={progress(queue.counts)} />
      <span className={css.lineCount}>{t.queues.ended(count(ended), count(all), count(live))}</span>
    </Link>
  );
}
