import { useQueryClient } from "@tanstack/react-query";
import { AdminService, type Client, CreateClientRequestSchema } from "@trunkline/client";
import { CircleUser, Plus } from "lucide-react";
import { useCallback, useState } from "react";
import { usePaged } from "../../api/paged";
import { api } from "../../api/transport";
import { Checks } from "../../forms/checks";
import { Field, Fields } from "../../forms/field";
import { useForm } from "../../forms/form";
import { navigate } from "../../router";
import { t } from "../../text/en";
import { admin as a } from "../../text/en/admin";
import { ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Buttons, Dialog } from "../../ui/dialog";
import { Empty } from "../../ui/empty";
import { count } from "../../ui/numbers";
import { Page } from "../../ui/page";
import { Secret } from "../../ui/secret";
import { useSend } from "../../ui/send";
import { Badge } from "../../ui/status";
import { type Column, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import css from "./admin.module.css";
import { useServerChoices } from "./choices";

/** How many clients a request asks for. */
const PAGE = 100;

/** How many limits there are. */
const LIMITS = 9;

/** Returns how many limits a client has. */
function limitsOf(client: Client): number {
  if (!client.limits) return 0;
  const { $typeName: _, $unknown: __, ...limits } = client.limits;
  return Math.min(LIMITS, Object.values(limits).filter((it) => it !== undefined).length);
}

/** All clients. */
export default function Clients() {
  const [creating, setCreating] = useState(false);
  const list = usePaged(AdminService.method.listClients, {}, (it) => it, PAGE);
  const columns: Column<Client>[] = [
    { id: "name", title: a.clients.name, width: "minmax(120px, 2fr)", cell: (it) => it.name },
    {
      id: "status",
      title: a.clients.status,
      width: "100px",
      cell: (it) => (
        <Badge tone={it.disabled ? "Bad" : "Good"}>{it.disabled ? a.clients.disabled : a.clients.enabled}</Badge>
      ),
    },
    { id: "account", title: a.clients.account, width: "minmax(90px, 1fr)", wide: true, cell: (it) => it.accountCode },
    {
      id: "servers",
      title: a.clients.servers,
      width: "minmax(90px, 1.5fr)",
      cell: (it) => it.servers.join(", ") || a.clients.none,
    },
    {
      id: "limits",
      title: a.clients.limits,
      width: "70px",
      wide: true,
      align: "end",
      cell: (it) => limitsOf(it) || a.clients.noLimits,
    },
    { id: "created", title: a.clients.created, width: "120px", wide: true, cell: (it) => <Time at={it.createdAt} /> },
  ];
  const create = (
    <Button kind="primary" onClick={() => setCreating(true)}>
      <Plus size={15} aria-hidden />
      {a.clients.create}
    </Button>
  );
  return (
    <Page fill title={t.nav.clients} subtitle={list.count > 0 && count(list.count)} actions={create}>
      <p className={css.text}>{a.clients.text}</p>
      <ErrorBanner error={list.error} onRetry={list.refetch} />
      <div className={css.tableCard}>
        <Table
          label={t.nav.clients}
          columns={columns}
          count={list.count}
          row={list.row}
          rowKey={(it) => `${it.clientId}`}
          href={(it) => `/admin/clients/${it.clientId}`}
          onRange={list.onRange}
          loading={list.isPending}
          dim={(it) => it.disabled}
          empty={
            <Empty icon={CircleUser} title={a.clients.empty} actions={create}>
              {a.clients.emptyText}
            </Empty>
          }
        />
      </div>
      {creating && <CreateClient onClose={() => setCreating(false)} />}
    </Page>
  );
}

function CreateClient({ onClose }: { onClose: () => void }) {
  const form = useForm(CreateClientRequestSchema, { name: "", account_code: "", servers: [] });
  const { busy, error, run } = useSend();
  const [made, setMade] = useState<Client>();
  const queries = useQueryClient();
  const servers = useServerChoices();
  const submit = useCallback(async () => {
    const values = form.submit();
    if (!values) return;
    const answer = await run(() => api.admin.createClient(values), form);
    if (!answer?.client) return;
    void queries.invalidateQueries();
    setMade(answer.client);
  }, [form, run, queries]);
  if (made) {
    return (
      <Secret
        title={a.clients.firstKey}
        secret={made.apiKey ?? ""}
        onClose={() => navigate(`/admin/clients/${made.clientId}`)}
      >
        <p>{a.clients.firstKeyText(made.name)}</p>
      </Secret>
    );
  }
  return (
    <Dialog title={a.clients.create} onClose={onClose}>
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
          <Field form={form} name="name" label={a.clients.name} help={a.clients.nameHelp} />
          <Field form={form} name="account_code" label={a.clients.account} help={a.clients.accountHelp} />
          {servers.length > 0 ? (
            <Checks
              form={form}
              name="servers"
              label={a.clients.servers}
              help={a.clients.serversHelp}
              options={servers}
            />
          ) : (
            <p className={css.text}>{a.clients.noServers}</p>
          )}
        </Fields>
        <Buttons>
          <Button onClick={onClose}>{t.actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {a.clients.create}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
