import { CallStatus } from "@trunkline/client";
import { api } from "../api/transport";
import { t } from "../text/en";
import { Confirm } from "../ui/confirm";
import { say } from "../ui/toast";

/** Asks before a live call is ended: hung up if it was answered, else canceled. */
export function EndCall(props: { callId: string; number: string; status: CallStatus; onClose: () => void }) {
  const answered = props.status === CallStatus.ANSWERED;
  const run = async () => {
    if (answered) await api.calls.hangupCall({ callId: props.callId });
    else await api.calls.cancelCall({ callId: props.callId });
    say(t.livePage.hangingUp);
  };
  return (
    <Confirm
      danger
      title={answered ? t.livePage.hangUpTitle : t.livePage.cancelTitle}
      action={answered ? t.livePage.hangUp : t.callPage.cancel}
      run={run}
      onClose={props.onClose}
    >
      <p>{answered ? t.livePage.hangUpText(props.number) : t.livePage.cancelText(props.number)}</p>
    </Confirm>
  );
}
