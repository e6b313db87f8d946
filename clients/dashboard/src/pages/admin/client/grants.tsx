import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type Grant, SetGrantRequestSchema } from "@trunkline/client";
import { Plus, Server } from "lucide-react";
import { useState } from "react";
import { Link } from "wouter";
import { api } from "../../../api/transport";
import { Field, Fields } from "../../../forms/field";
import { useForm } from "../../../forms/form";
import { t } from "../../../text/en";
import { admin as a } from "../../../text/en/admin";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Confirm } from "../../../ui/confirm";
import { Buttons, Dialog } from "../../../ui/dialog";
import { Empty } from "../../../ui/empty";
import { Card } from "../../../ui/page";
import { Plain } from "../../../ui/plain-table";
import { useSend } from "../../../ui/send";
import css from "../admin.module.css";
import { useServerChoices } from "../choices";

/** The servers that a client may dial through, with its limits on each. */
export function Grants({ clientId, onChange }: { clientId: bigint; onChange: () => void }) {
  const { data, error, refetch } = useQuery(AdminService.method.listGrants, { clientId });
  const [edited, setEdited] = useState<Grant | "new">();
  const [removed, setRemoved] = useState<Grant>();
  const grants = data?.results ?? [];
  const free = useServerChoices().filter((it) => !grants.some((grant) => grant.asteriskServerCode === it.value));
  const add = (
    <Button kind="primary" disabled={free.length === 0} onClick={() => setEdited("new")}>
      <Plus size={15} aria-hidden />
      {a.grants.add}
    </Button>
  );
  const changed = () => {
    void refetch();
    onChange();
  };
  return (
    <Card flush title={a.grants.title} aside={add}>
      <p className={css.cardText}>{a.grants.text}</p>
      <ErrorBanner error={error} onRetry={refetch} />
      {data && grants.length === 0 ? (
        <Empty icon={Server} title={a.grants.empty}>
          {a.grants.emptyText}
        </Empty>
      ) : (
        <Plain
          label={a.grants.title}
          wide={[1, 2, 3]}
          head={[
            a.grants.server,
            a.grants.live,
            a.grants.rate,
            a.grants.extensions,
            <span key="actions" className="visually-hidden">
              {a.keys.actions}
            </span>,
          ]}
          rows={grants.map((grant) => ({
            key: grant.asteriskServerCode,
            cells: [
              <Link key="server" to={`/admin/servers/${encodeURIComponent(grant.asteriskServerCode)}`}>
                {grant.asteriskServerCode}
              </Link>,
              grant.maxLiveCalls ?? a.grants.onlyServer,
              grant.callsPerSecond ?? a.grants.onlyServer,
              grant.extensions.join(", ") || a.clients.none,
              <div key="actions" className={css.buttons}>
                <Button
                  small
                  aria-label={`${a.grants.edit} ${grant.asteriskServerCode}`}
                  onClick={() => setEdited(grant)}
                >
                  {a.grants.edit}
                </Button>
                <Button
                  small
                  aria-label={`${a.grants.remove} ${grant.asteriskServerCode}`}
                  onClick={() => setRemoved(grant)}
                >
                  {a.grants.remove}
                </Button>
              </div>,
            ],
          }))}
        />
      )}
      {edited && (
        <EditGrant
          clientId={clientId}
          grant={edited === "new" ? undefined : edited}
          servers={free}
          onClose={() => setEdited(undefined)}
          onChange={changed}
        />
      )}
      {removed && (
        <Confirm
          title={a.grants.removeTitle}
          action={a.grants.remove}
          danger
          run={async () => {
            await api.admin.deleteGrant({ clientId, asteriskServerCode: removed.asteriskServerCode });
            changed();
          }}
          onClose={() => setRemoved(undefined)}
        >
          <p>{a.grants.removeText(removed.asteriskServerCode)}</p>
        </Confirm>
      )}
    </Card>
  );
}

function EditGrant(props: {
  clientId: bigint;
  grant: Grant | undefined;
  servers: { value: string; label: string }[];
  onClose: () => void;
  onChange: () => void;
}) {
  const { grant, servers } = props;
  const form = useForm(SetGrantRequestSchema, {
    asterisk_server_code: grant?.asteriskServerCode ?? servers[0]?.value ?? "",
    max_live_calls: `${grant?.maxLiveCalls ?? ""}`,
    calls_per_second: `${grant?.callsPerSecond ?? ""}`,
    extensions: grant?.extensions ?? [],
  });
  const { busy, error, run } = useSend();
  const submit = async () => {
    const values = form.submit();
    if (!values) return;
    const answer = await run(() => api.admin.setGrant({ ...values, clientId: props.clientId }), form);
    if (!answer) return;
    props.onChange();
    props.onClose();
  };
  return (
    <Dialog title={grant ? `${a.grants.edit}: ${grant.asteriskServerCode}` : a.grants.add} onClose={props.onClose}>
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
            name="asterisk_server_code"
            label={a.grants.server}
            options={grant ? [{ value: grant.asteriskServerCode, label: grant.asteriskServerCode }] : servers}
            disabled={grant !== undefined}
          />
          <Field form={form} name="max_live_calls" label={a.grants.live} help={a.grants.liveHelp} />
          <Field form={form} name="calls_per_second" label={a.grants.rate} help={a.grants.rateHelp} />
          <Field form={form} name="extensions" label={a.grants.extensions} help={a.grants.extensionsHelp} rows={3} />
        </Fields>
        <Buttons>
          <Button onClick={props.onClose}>{t.actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {a.grants.save}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
