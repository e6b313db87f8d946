import { useQueryClient } from "@tanstack/react-query";
import { DeleteServerRequestSchema } from "@trunkline/client";
import { api } from "../../../api/transport";
import { Field, Fields } from "../../../forms/field";
import { useForm } from "../../../forms/form";
import { navigate } from "../../../router";
import { t } from "../../../text/en";
import { platform } from "../../../text/en/platform";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Buttons, Dialog } from "../../../ui/dialog";
import { useSend } from "../../../ui/send";
import { say } from "../../../ui/toast";
import css from "../admin.module.css";
import { useServerChoices } from "../choices";

const s = platform.server;

/** Asks what becomes of the calls that wait for a server, and removes it. */
export function RemoveServer({ code, onClose }: { code: string; onClose: () => void }) {
  const form = useForm(DeleteServerRequestSchema, { move_waiting_to: "" });
  const queries = useQueryClient();
  const { busy, error, run } = useSend();
  const others = useServerChoices().filter((it) => it.value !== code);
  const submit = async () => {
    const choice = form.values.move_waiting_to as string;
    const request =
      choice === "cancel"
        ? { code, cancelWaiting: true }
        : { code, moveWaitingTo: choice.replace(/^=/, "") || undefined };
    const answer = await run(() => api.admin.deleteServer(request), form);
    if (!answer) return;
    say(s.removed(answer.canceledCount, answer.movedCount));
    void queries.invalidateQueries();
    navigate("/admin/servers");
  };
  return (
    <Dialog title={s.removeTitle(code)} onClose={onClose}>
      <div className={css.form}>
        <p>{s.removeText}</p>
        <ErrorBanner error={error} />
        <Fields single>
          <Field
            form={form}
            name="move_waiting_to"
            label={s.waiting}
            help={s.waitingHelp}
            options={[
              { value: "", label: s.waitingChoices[""] ?? "" },
              { value: "cancel", label: s.waitingChoices.cancel ?? "" },
              // A server may have the code `cancel`.
              ...others.map((it) => ({ value: `=${it.value}`, label: s.waitingMove(it.value) })),
            ]}
          />
        </Fields>
      </div>
      <Buttons>
        <Button onClick={onClose}>{t.actions.cancel}</Button>
        <Button kind="danger" disabled={busy} onClick={submit}>
          {busy ? t.actions.working : s.remove}
        </Button>
      </Buttons>
    </Dialog>
  );
}
