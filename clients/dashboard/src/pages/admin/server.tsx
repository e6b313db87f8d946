import { useQuery } from "@connectrpc/connect-query";
import { useQueryClient } from "@tanstack/react-query";
import { AdminService, type Server, UpdateServerRequestSchema } from "@trunkline/client";
import { Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "../../api/transport";
import { focusWrong } from "../../forms/focus";
import { useFollow } from "../../forms/follow";
import { useForm } from "../../forms/form";
import { t } from "../../text/en";
import { platform as p } from "../../text/en/platform";
import { ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Card, Page } from "../../ui/page";
import { useSend } from "../../ui/send";
import { Time } from "../../ui/time";
import { say } from "../../ui/toast";
import css from "./admin.module.css";
import { FormFoot } from "./form-foot";
import { Connection, Dialing, Numbers, written } from "./server/fields";
import { RemoveServer } from "./server/remove";
import { ServerBadge } from "./server/status";
import { TestServer } from "./server/test";
import { checkTrunks, refuseTrunks, Trunks, trunkRows } from "./server/trunks";

/** One Asterisk server: what its lane is doing, whether it has what dialing needs, and its settings. */
export default function ServerPage({ params }: { params: Record<string, string> }) {
  const code = decodeURIComponent(params.code ?? "");
  const [removing, setRemoving] = useState(false);
  const { data, error, refetch } = useQuery(AdminService.method.getServer, { code }, { refetchInterval: 3_000 });
  const server = data?.server;
  return (
    <Page
      title={server?.code ?? t.nav.server}
      subtitle={server && <ServerBadge server={server} />}
      actions={
        server && (
          <Button onClick={() => setRemoving(true)}>
            <Trash2 size={14} aria-hidden />
            {p.server.remove}
          </Button>
        )
      }
    >
      <ErrorBanner error={error} onRetry={refetch} />
      {server && (
        <>
          <Card title={p.server.status}>
            <dl className={css.facts}>
              <Fact name={p.servers.address}>
                {server.host}:{server.port}
                {server.tls && " (TLS)"}
              </Fact>
              <Fact name={p.servers.live}>{p.servers.of(server.liveCalls, server.maxChannels)}</Fact>
              <Fact name={p.servers.version}>{server.asteriskVersion ?? t.time.none}</Fact>
              <Fact name={p.servers.node}>{server.node ?? p.servers.noNode}</Fact>
              <Fact name={p.servers.added}>
                <Time at={server.createdAt} />
              </Fact>
              {server.lastError && <Fact name={p.servers.error}>{server.lastError}</Fact>}
            </dl>
          </Card>
          <TestServer code={server.code} />
          <Settings key={server.code} server={server} />
          {removing && <RemoveServer code={server.code} onClose={() => setRemoving(false)} />}
        </>
      )}
    </Page>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The settings of a server. What others change meanwhile is shown, unless it would overwrite what is being typed. */
function Settings({ server }: { server: Server }) {
  const form = useForm(UpdateServerRequestSchema, written(server));
  const [first, setFirst] = useState(() => trunkRows(server.trunks));
  const [rows, setRows] = useState(first);
  const queries = useQueryClient();
  const { busy, error, run } = useSend();
  const values = (list: typeof rows) => JSON.stringify(list.map(({ errors: _, ...row }) => row));
  const trunksChanged = values(rows) !== values(first);
  useFollow(form, written(server));
  const trunks = JSON.stringify(trunkRows(server.trunks));
  useEffect(() => {
    if (trunksChanged) return;
    setFirst(JSON.parse(trunks));
    setRows(JSON.parse(trunks));
  }, [trunks, trunksChanged]);
  const submit = async () => {
    const made = form.submit();
    const [checked, trunks] = checkTrunks(rows);
    setRows(checked);
    if (!made || !trunks) return focusWrong();
    // An empty secret keeps the one that is stored.
    const changes = form.changes.filter((it) => it !== "secret" || form.values.secret !== "");
    const updateMask = trunksChanged ? [...changes, "trunks"] : changes;
    const answer = await run(async () => {
      try {
        return await api.admin.updateServer({ ...made, trunks, code: server.code, updateMask });
      } catch (failure) {
        setRows((before) => refuseTrunks(before, failure));
        throw failure;
      }
    }, form);
    if (!answer?.server) return;
    form.reset(written(answer.server));
    const after = trunkRows(answer.server.trunks);
    setFirst(after);
    setRows(after);
    say(p.server.saved);
    void queries.invalidateQueries();
  };
  return (
    <Card label={p.server.connection}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <ErrorBanner error={error} />
        <Connection form={form} stored />
        <Dialing form={form} all />
        <Numbers form={form} all />
        <Trunks rows={rows} onChange={setRows} />
        <FormFoot
          changed={form.changed || trunksChanged}
          busy={busy}
          onReset={() => {
            form.reset();
            setRows(first);
          }}
        />
      </form>
    </Card>
  );
}
