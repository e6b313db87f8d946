import { useQuery } from "@connectrpc/connect-query";
import { AdminService, CreateServerRequestSchema, type Server } from "@trunkline/client";
import { Plus, Server as ServerIcon } from "lucide-react";
import { useState } from "react";
import { Link } from "wouter";
import { api } from "../../api/transport";
import { Field, Fields } from "../../forms/field";
import { useForm } from "../../forms/form";
import { navigate } from "../../router";
import { t } from "../../text/en";
import { platform as p } from "../../text/en/platform";
import { ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Buttons, Dialog } from "../../ui/dialog";
import { Empty } from "../../ui/empty";
import { Card, Page } from "../../ui/page";
import { Plain } from "../../ui/plain-table";
import { useSend } from "../../ui/send";
import css from "./admin.module.css";
import { Connection, Dialing, Numbers, written } from "./server/fields";
import { ServerBadge } from "./server/status";

/** Returns the path of a server's page. */
const pathOf = (code: string) => `/admin/servers/${encodeURIComponent(code)}`;

/** All Asterisk servers. */
export default function Servers() {
  const [creating, setCreating] = useState(false);
  const { data, error, refetch } = useQuery(AdminService.method.listServers, {}, { refetchInterval: 3_000 });
  const create = (
    <Button kind="primary" onClick={() => setCreating(true)}>
      <Plus size={15} aria-hidden />
      {p.servers.create}
    </Button>
  );
  const row = (server: Server) => ({
    key: server.code,
    cells: [
      <Link key="code" to={pathOf(server.code)}>
        {server.code}
      </Link>,
      <ServerBadge key="status" server={server} />,
      `${server.host}:${server.port}${server.tls ? " (TLS)" : ""}`,
      p.servers.of(server.liveCalls, server.maxChannels),
      server.callsPerSecond,
      server.asteriskVersion ?? t.time.none,
      server.node ?? p.servers.noNode,
      <div key="error" className={css.wrap}>
        {server.lastError ?? ""}
      </div>,
    ],
  });
  return (
    <Page title={t.nav.servers} actions={create}>
      <p className={css.text}>{p.servers.text}</p>
      <ErrorBanner error={error} onRetry={refetch} />
      <Card flush>
        {data?.results.length === 0 ? (
          <Empty icon={ServerIcon} title={p.servers.empty} actions={create}>
            {p.servers.emptyText}
          </Empty>
        ) : (
          <Plain
            label={t.nav.servers}
            head={[
              p.servers.code,
              p.servers.status,
              p.servers.address,
              p.servers.live,
              p.servers.rate,
              p.servers.version,
              p.servers.node,
              p.servers.error,
            ]}
            end={[3, 4]}
            wide={[2, 4, 5, 6, 7]}
            rows={data?.results.map(row) ?? []}
          />
        )}
      </Card>
      {creating && <CreateServer onClose={() => setCreating(false)} />}
    </Page>
  );
}

function CreateServer({ onClose }: { onClose: () => void }) {
  const form = useForm(CreateServerRequestSchema, { code: "", ...written() });
  const { busy, error, run } = useSend();
  const submit = async () => {
    const values = form.submit();
    if (!values) return;
    const answer = await run(() => api.admin.createServer(values), form);
    if (answer?.server) navigate(pathOf(answer.server.code));
  };
  return (
    <Dialog wide title={p.servers.create} onClose={onClose}>
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
          <Field form={form} name="code" label={p.servers.code} help={p.servers.codeHelp} />
        </Fields>
        <Connection form={form} />
        <Dialing form={form} />
        <Numbers form={form} />
        <Buttons>
          <Button onClick={onClose}>{t.actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {busy ? t.actions.working : p.servers.create}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
