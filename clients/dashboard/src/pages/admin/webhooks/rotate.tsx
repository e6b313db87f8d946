import { RotateWebhookSecretRequestSchema } from "@trunkline/client";
import { useState } from "react";
import { api } from "../../../api/transport";
import { Field } from "../../../forms/field";
import { useForm } from "../../../forms/form";
import { t } from "../../../text/en";
import { webhooks as w } from "../../../text/en/webhooks";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Buttons, Dialog } from "../../../ui/dialog";
import { Secret } from "../../../ui/secret";
import { useSend } from "../../../ui/send";
import css from "../admin.module.css";

/** Replaces the signing secret of a webhook, and shows the new one once. */
export function RotateSecret(props: { webhookId: bigint; onChange: () => void; onClose: () => void }) {
  const form = useForm(RotateWebhookSecretRequestSchema, { overlap_seconds: "" });
  const { busy, error, run } = useSend();
  const [secret, setSecret] = useState<string>();
  const submit = async () => {
    const values = form.submit();
    if (!values) return;
    const answer = await run(() => api.admin.rotateWebhookSecret({ ...values, webhookId: props.webhookId }), form);
    if (!answer) return;
    props.onChange();
    setSecret(answer.webhook?.secret ?? "");
  };
  if (secret !== undefined) {
    return (
      <Secret title={w.secret} secret={secret} onClose={props.onClose}>
        <p>{w.secretText}</p>
      </Secret>
    );
  }
  return (
    <Dialog title={w.rotateTitle} onClose={props.onClose}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p>{w.rotateText}</p>
        <ErrorBanner error={error} />
        <Field form={form} name="overlap_seconds" label={w.overlap} help={w.overlapHelp} />
        <Buttons>
          <Button onClick={props.onClose}>{t.actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {w.rotate}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
