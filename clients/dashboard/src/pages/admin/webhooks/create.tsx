import { CallEventType, CreateWebhookRequestSchema } from "@trunkline/client";
import { useState } from "react";
import { useClients, useScope } from "../../../api/hooks";
import { api } from "../../../api/transport";
import { Checks } from "../../../forms/checks";
import { Field, Fields } from "../../../forms/field";
import { useForm } from "../../../forms/form";
import { t } from "../../../text/en";
import { webhooks as w } from "../../../text/en/webhooks";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Buttons, Dialog } from "../../../ui/dialog";
import { Secret } from "../../../ui/secret";
import { useSend } from "../../../ui/send";
import css from "../admin.module.css";

const E = CallEventType;
const EVENTS = [
  E.BATCH_INSERTED,
  E.QUEUED,
  E.DIALING,
  E.RINGING,
  E.ANSWERED,
  E.BRIDGED,
  E.RECORDING_STARTED,
  E.RECORDING_STOPPED,
  E.RECORDING_FAILED,
  E.RETRYING,
  E.ENDED,
  E.NOTE,
  E.ADOPTED,
  E.QUEUE_UPDATED,
].map((it) => ({ value: `${it}`, label: t.eventType[it] }));

/** The form of a new webhook. It shows the signing secret once, and then closes. */
export function CreateWebhook({ onChange, onClose }: { onChange: () => void; onClose: () => void }) {
  const clients = useClients();
  const { clientId } = useScope();
  const form = useForm(CreateWebhookRequestSchema, { client_id: `${clientId ?? ""}`, url: "", events: [] });
  const { busy, error, run } = useSend();
  const [secret, setSecret] = useState<string>();
  const submit = async () => {
    const values = form.submit();
    if (!values) return;
    const events = (form.values.events as string[]).map(Number);
    const answer = await run(() => api.admin.createWebhook({ ...values, events }), form);
    if (!answer) return;
    onChange();
    setSecret(answer.webhook?.secret ?? "");
  };
  if (secret !== undefined) {
    return (
      <Secret title={w.secret} secret={secret} onClose={onClose}>
        <p>{w.secretText}</p>
      </Secret>
    );
  }
  const choices = clients.map((it) => ({ value: `${it.clientId}`, label: it.name }));
  return (
    <Dialog title={w.create} onClose={onClose}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <ErrorBanner error={error} />
        <Fields single>
          <Field
            form={form}
            name="client_id"
            label={w.client}
            options={[{ value: "", label: t.time.none }, ...choices]}
          />
          <Field form={form} name="url" label={w.url} help={w.urlHelp} placeholder="https://" />
          <Checks form={form} name="events" label={w.events} help={w.eventsHelp} options={EVENTS} />
        </Fields>
        <Buttons>
          <Button onClick={onClose}>{t.actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {busy ? t.actions.working : w.create}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
