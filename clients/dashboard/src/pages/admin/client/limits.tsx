import { type Client, type ClientLimits, ClientLimitsSchema } from "@trunkline/client";
import { useState } from "react";
import { api } from "../../../api/transport";
import { Field, Fields } from "../../../forms/field";
import { useFollow } from "../../../forms/follow";
import { useForm } from "../../../forms/form";
import { fieldOf } from "../../../forms/rules";
import { useFilter } from "../../../router";
import { admin as a } from "../../../text/en/admin";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Confirm } from "../../../ui/confirm";
import { Card } from "../../../ui/page";
import { useSend } from "../../../ui/send";
import { say } from "../../../ui/toast";
import css from "../admin.module.css";
import { FormFoot } from "../form-foot";

const GROUPS = {
  pace: ["max_live_calls", "calls_per_second", "max_call_seconds"],
  day: ["max_calls_per_day", "max_minutes_per_day", "max_calls_per_destination_per_day", "brake_new_destination_calls"],
  api: ["requests_per_second", "max_queued_calls"],
} as const;

/** Writes the limits of a client as a form takes them. */
function written(limits: ClientLimits | undefined): Record<string, string> {
  const names = Object.values(GROUPS).flat();
  return Object.fromEntries(
    names.map((name) => {
      const value = limits?.[fieldOf(ClientLimitsSchema, name).localName as keyof ClientLimits];
      return [name, value === undefined ? "" : `${value}`];
    }),
  );
}

/** How much a client may do, and its brake. */
export function Limits({ client, onChange }: { client: Client; onChange: () => void }) {
  const form = useForm(ClientLimitsSchema, written(client.limits));
  useFollow(form, written(client.limits));
  const { busy, error, run } = useSend();
  const [field] = useFilter("field");
  const [asked, setAsked] = useState(false);
  const submit = async () => {
    const limits = form.submit();
    if (!limits) return;
    const request = { clientId: client.clientId, limits, updateMask: ["limits"] };
    const answer = await run(() => api.admin.updateClient(request), [form, "limits."]);
    if (!answer) return;
    form.reset(written(answer.client?.limits));
    say(a.limits.saved);
    onChange();
  };
  return (
    <Card title={a.limits.title} aside={<Button onClick={() => setAsked(true)}>{a.limits.brake}</Button>}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p className={css.text}>{a.limits.text}</p>
        <ErrorBanner error={error} />
        {(Object.keys(GROUPS) as (keyof typeof GROUPS)[]).map((group) => (
          <Fields key={group} title={a.limits.groups[group]}>
            {GROUPS[group].map((name) => (
              <Field
                key={name}
                form={form}
                name={name}
                label={a.limits[name][0] ?? ""}
                help={a.limits[name][1]}
                autoFocus={field === name}
              />
            ))}
          </Fields>
        ))}
        <FormFoot changed={form.changed} busy={busy} onReset={() => form.reset()} />
      </form>
      {asked && (
        <Confirm
          title={a.limits.brakeTitle}
          action={a.limits.brake}
          run={async () => {
            const { brakedAt, destinations } = await api.admin.releaseBrake({ clientId: client.clientId });
            const known = a.limits.released(destinations.length, destinations.join(", "));
            say(brakedAt ? known : `${a.limits.notBraked} ${known}`);
          }}
          onClose={() => setAsked(false)}
        >
          <p>{a.limits.brakeText}</p>
        </Confirm>
      )}
    </Card>
  );
}
