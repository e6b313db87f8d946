import { type Queue, QueueStatus } from "@trunkline/client";
import { api } from "../../api/transport";
import { t } from "../../text/en";
import { say } from "../../ui/toast";
import { queueName } from "./progress";

/** Pauses, resumes or completes a queue, and says so. */
export async function setStatus(queue: Queue, queueStatus: QueueStatus): Promise<void> {
  await api.queues.updateQueue({ queueId: queue.queueId, queueStatus });
  const name = queueName(queue);
  if (queueStatus === QueueStatus.PAUSED) say(t.queues.paused(name));
  else if (queueStatus === QueueStatus.IN_PROGRESS) say(t.queues.resumed(name));
  else say(t.queues.completed(name));
}
