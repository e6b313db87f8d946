import { type Client, UpdateClientRequestSchema } from "@trunkline/client";
import { scope } from "../../../api/scope";
import { api } from "../../../api/transport";
import { Field, Fields } from "../../../forms/field";
import { useFollow } from "../../../forms/follow";
import { useForm } from "../../../forms/form";
import { navigate } from "../../../router";
import { t } from "../../../text/en";
import { admin as a } from "../../../text/en/admin";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Card } from "../../../ui/page";
import { useSend } from "../../../ui/send";
import { say } from "../../../ui/toast";
import css from "../admin.module.css";
import { FormFoot } from "../form-foot";

/** The name and the state of a client, and the way to what belongs to it. */
export function Basics({ client, onChange }: { client: Client; onChange: () => void }) {
  const values = { name: client.name, account_code: client.accountCode, disabled: client.disabled };
  const form = useForm(UpdateClientRequestSchema, values);
  useFollow(form, values);
  const { busy, error, run } = useSend();
  const submit = async () => {
    const made = form.submit();
    if (!made) return;
    const request = { ...made, clientId: client.clientId, updateMask: form.changes };
    const answer = await run(() => api.admin.updateClient(request), form);
    if (!answer?.client) return;
    const { name, accountCode, disabled } = answer.client;
    form.reset({ name, account_code: accountCode, disabled });
    say(a.basics.saved);
    onChange();
  };
  const open = (to: string) => {
    scope.choose(client.clientId);
    navigate(to);
  };
  return (
    <>
      <Card title={a.basics.title}>
        <form
          noValidate
          className={css.form}
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <ErrorBanner error={error} />
          <Fields>
            <Field form={form} name="name" label={a.clients.name} help={a.clients.nameHelp} />
            <Field form={form} name="account_code" label={a.clients.account} help={a.clients.accountHelp} />
            <Field form={form} name="disabled" label={a.basics.disabled} help={a.basics.disabledHelp} />
          </Fields>
          <FormFoot changed={form.changed} busy={busy} onReset={() => form.reset()} />
        </form>
      </Card>
      <Card title={a.basics.links}>
        <div className={css.links}>
          <Button onClick={() => open("/queues")}>{a.basics.queues}</Button>
          <Button onClick={() => open("/do-not-call?list=client")}>{a.basics.doNotCall}</Button>
          <Button onClick={() => open("/admin/webhooks")}>{a.basics.webhooks}</Button>
          <Button onClick={() => open("/statistics")}>{t.nav.statistics}</Button>
        </div>
      </Card>
    </>
  );
}
