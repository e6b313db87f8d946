import { type Queue, QueueStatus } from "@trunkline/client";
import { useState } from "react";
import { api } from "../../api/transport";
import { navigate } from "../../router";
import { t } from "../../text/en";
import { Confirm } from "../../ui/confirm";
import controls from "../../ui/controls.module.css";
import { count } from "../../ui/numbers";
import { say } from "../../ui/toast";
import { setStatus } from "../queues/actions";
import { sums } from "../queues/progress";
import css from "./queue.module.css";

interface Props {
  queue: Queue;
  onClose: () => void;
}

export function CompleteQueue({ queue, onClose }: Props) {
  return (
    <Confirm
      title={t.queue.completeTitle}
      action={t.queues.complete}
      run={() => setStatus(queue, QueueStatus.COMPLETED)}
      onClose={onClose}
    >
      <p>{t.queue.completeText}</p>
    </Confirm>
  );
}

export function CancelQueue({ queue, onClose }: Props) {
  const [hangUpLive, setHangUpLive] = useState(false);
  const { waiting, live } = sums(queue.counts);
  const run = async () => {
    const { canceledCount } = await api.queues.cancelQueue({ queueId: queue.queueId, hangUpLive });
    say(t.queue.canceled(count(canceledCount)));
  };
  return (
    <Confirm danger title={t.queue.cancelTitle} action={t.queue.cancel} run={run} onClose={onClose}>
      <p>{t.queue.cancelText(count(waiting))}</p>
      {live > 0n && (
        <label className={css.checkLine}>
          <input
            type="checkbox"
            className={controls.check}
            checked={hangUpLive}
            onChange={(event) => setHangUpLive(event.target.checked)}
          />
          {t.queue.hangUp} ({count(live)})
        </label>
      )}
    </Confirm>
  );
}

export function DeleteQueue({ queue, onClose }: Props) {
  const run = async () => {
    await api.queues.deleteQueue({ queueId: queue.queueId });
    say(t.queue.deletedDone);
    navigate("/queues");
  };
  return (
    <Confirm danger title={t.queue.deleteTitle} action={t.queue.delete} run={run} onClose={onClose}>
      <p>{t.queue.deleteText}</p>
    </Confirm>
  );
}
