import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type AdminKey, CreateAdminKeyRequestSchema, CreateKeyRequestSchema, type Key, Scope } from "@trunkline/client";
import { useState } from "react";
import { serverNow } from "../../api/session";
import { Field, Fields } from "../../forms/field";
import { useForm } from "../../forms/form";
import { readTime } from "../../forms/when";
import { t } from "../../text/en";
import { admin as a } from "../../text/en/admin";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Confirm } from "../../ui/confirm";
import { Buttons, Dialog } from "../../ui/dialog";
import { Plain } from "../../ui/plain-table";
import { Secret } from "../../ui/secret";
import { useSend } from "../../ui/send";
import { Badge } from "../../ui/status";
import { Time, useZone } from "../../ui/time";
import css from "./admin.module.css";

function state(key: Key | AdminKey): "revoked" | "expired" | "valid" {
  if (key.revokedAt) return "revoked";
  return key.expiresAt && timestampMs(key.expiresAt) <= serverNow() ? "expired" : "valid";
}

/** The keys of a client or of administrators, with a way to revoke each. */
export function KeyTable<K extends Key | AdminKey>(props: { keys: K[]; onRevoke: (key: K) => Promise<unknown> }) {
  const [asked, setAsked] = useState<K>();
  const named = props.keys.some((it) => "name" in it);
  const name = (key: K) => ("name" in key ? (key as AdminKey).name : key.keyId);
  return (
    <>
      <Plain
        label={a.keys.title}
        wide={named ? [1, 3, 4, 5, 6] : [2, 3, 4, 5, 6]}
        head={[
          ...(named ? [a.adminKeys.name] : []),
          a.keys.id,
          a.keys.status,
          ...(named ? [] : [a.keys.scope]),
          a.keys.networks,
          a.keys.created,
          a.keys.used,
          a.keys.expires,
          <span key="actions" className="visually-hidden">
            {a.keys.actions}
          </span>,
        ]}
        rows={props.keys.map((key) => ({
          key: key.keyId,
          cells: [
            ...(named ? [name(key)] : []),
            <code key="id">{key.keyId}</code>,
            <Badge key="status" tone={state(key) === "valid" ? "Good" : "Idle"}>
              {a.keys[state(key)]}
            </Badge>,
            ...(named ? [] : [a.keys.scopes[key.scope]]),
            key.networks.join(", ") || a.keys.anywhere,
            <Time key="created" at={key.createdAt} />,
            key.lastUsedAt ? <Time key="used" at={key.lastUsedAt} relative /> : t.time.never,
            key.expiresAt ? <Time key="expires" at={key.expiresAt} /> : t.time.never,
            state(key) === "valid" ? (
              <div key="revoke" className={css.buttons}>
                <Button small aria-label={`${a.keys.revoke} ${name(key)}`} onClick={() => setAsked(key)}>
                  {a.keys.revoke}
                </Button>
              </div>
            ) : null,
          ],
        }))}
      />
      {asked && (
        <Confirm
          title={a.keys.revokeTitle}
          action={a.keys.revoke}
          danger
          run={() => props.onRevoke(asked)}
          onClose={() => setAsked(undefined)}
        >
          <p>{a.keys.revokeText(name(asked))}</p>
        </Confirm>
      )}
    </>
  );
}

/** The form of a new key. It shows the key once, and then closes. */
export function CreateKey(props: {
  /** True for the key of an administrator, which has a name in place of a scope. */
  admin?: boolean;
  onCreate: (values: Record<string, unknown>) => Promise<{ apiKey?: string; warnings: string[] } | undefined>;
  onClose: () => void;
}) {
  const zone = useZone();
  const schema = props.admin ? CreateAdminKeyRequestSchema : CreateKeyRequestSchema;
  const form = useForm(schema, {
    ...(props.admin ? { name: "" } : { scope: `${Scope.WRITE}` }),
    expires_at: "",
    networks: [],
  });
  const { busy, error, run } = useSend();
  const [made, setMade] = useState<{ apiKey?: string; warnings: string[] }>();
  const submit = async () => {
    const values = form.submit();
    if (!values) return;
    const answer = await run(
      () => props.onCreate({ ...values, expiresAt: readTime(form.values.expires_at, zone) }),
      form,
    );
    if (answer) setMade(answer);
  };
  if (made) {
    return (
      <Secret title={a.keys.secret} secret={made.apiKey ?? ""} onClose={props.onClose}>
        {made.warnings.map((it) => (
          <Banner key={it} tone="warn">
            {it}
          </Banner>
        ))}
        <p>{a.keys.secretText}</p>
      </Secret>
    );
  }
  return (
    <Dialog title={a.keys.create} onClose={props.onClose}>
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
          {props.admin ? (
            <Field form={form} name="name" label={a.adminKeys.name} help={a.adminKeys.nameHelp} />
          ) : (
            <Field
              form={form}
              name="scope"
              label={a.keys.scope}
              help={a.keys.scopeHelp}
              options={[Scope.WRITE, Scope.READ].map((it) => ({ value: `${it}`, label: a.keys.scopes[it] ?? "" }))}
            />
          )}
          <Field
            form={form}
            name="expires_at"
            type="datetime-local"
            label={a.keys.expires}
            help={a.keys.expiresHelp(t.settings.zones[zone])}
          />
          <Field form={form} name="networks" label={a.keys.networks} help={a.keys.networksHelp} rows={2} />
        </Fields>
        <Buttons>
          <Button onClick={props.onClose}>{t.actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {a.keys.create}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
