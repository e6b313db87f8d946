import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type DeadLetter, type Webhook } from "@trunkline/client";
import { Link } from "wouter";
import { api } from "../../../api/transport";
import { t } from "../../../text/en";
import { admin as a } from "../../../text/en/admin";
import { webhooks } from "../../../text/en/webhooks";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Buttons, Dialog } from "../../../ui/dialog";
import { Empty } from "../../../ui/empty";
import { Plain } from "../../../ui/plain-table";
import { useSend } from "../../../ui/send";
import { Time } from "../../../ui/time";
import { say } from "../../../ui/toast";
import css from "../admin.module.css";

const d = webhooks.dead;

/** The events that the receiver of a webhook did not accept, and the way to post them once more. */
export function DeadLetters(props: { webhook: Webhook; onChange: () => void; onClose: () => void }) {
  const { webhookId } = props.webhook;
  const request = { webhookId, pageSize: 1000 };
  const { data, error, refetch } = useQuery(AdminService.method.listDeadLetters, request, { refetchInterval: 3_000 });
  const send = useSend();
  const replay = async (seq?: bigint) => {
    const answer = await send.run(() => api.admin.replayDeadLetters({ webhookId, seq }));
    if (!answer) return;
    say(d.replayed(answer.replayingCount));
    await refetch();
    props.onChange();
  };
  const letters = data?.results ?? [];
  const row = (letter: DeadLetter) => {
    const { event } = letter;
    const seq = event?.seq ?? 0n;
    return {
      key: `${seq}`,
      cells: [
        event ? t.eventType[event.type] : "",
        event?.callId ? (
          <Link key="call" to={`/calls/${event.callId}`}>
            {event.callId.slice(0, 8)}
          </Link>
        ) : (
          t.time.none
        ),
        <Time key="failed" at={letter.firstFailedAt} />,
        <Time key="died" at={letter.diedAt} />,
        <div key="error" className={css.wrap}>
          {letter.lastError}
        </div>,
        <div key="replay" className={css.buttons}>
          <Button small disabled={letter.replaying || send.busy} onClick={() => replay(seq)}>
            {letter.replaying ? d.replaying : d.replay}
            <span className="visually-hidden">{d.label(seq)}</span>
          </Button>
        </div>,
      ],
    };
  };
  return (
    <Dialog wide title={d.title} onClose={props.onClose}>
      <p className={css.text}>{d.text}</p>
      <ErrorBanner error={error ?? send.error} />
      {data && letters.length === 0 ? (
        <Empty title={d.empty}>{d.emptyText}</Empty>
      ) : (
        <Plain
          label={d.title}
          head={[
            d.event,
            d.call,
            d.failed,
            d.died,
            d.error,
            <span key="actions" className="visually-hidden">
              {a.keys.actions}
            </span>,
          ]}
          rows={letters.map(row)}
        />
      )}
      {letters.length > 0 && (
        <Buttons>
          <Button kind="primary" disabled={send.busy} onClick={() => replay()}>
            {d.replayAll}
          </Button>
        </Buttons>
      )}
    </Dialog>
  );
}
