import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type Node } from "@trunkline/client";
import { useState } from "react";
import { api } from "../../api/transport";
import { t } from "../../text/en";
import { admin as a } from "../../text/en/admin";
import { platform as p } from "../../text/en/platform";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Confirm } from "../../ui/confirm";
import { Card, Page } from "../../ui/page";
import { Plain } from "../../ui/plain-table";
import { Badge } from "../../ui/status";
import { Time } from "../../ui/time";
import css from "./admin.module.css";

/** The processes that share the database. */
export default function Nodes() {
  const { data, error, refetch } = useQuery(AdminService.method.listNodes, {}, { refetchInterval: 3_000 });
  const [asked, setAsked] = useState<Node>();
  const nodes = data?.results ?? [];
  const alone = (node: Node) => !nodes.some((it) => it.name !== node.name && it.alive && !it.draining);
  return (
    <Page title={t.nav.nodes}>
      <p className={css.text}>{p.nodes.text}</p>
      <ErrorBanner error={error} onRetry={refetch} />
      <Card flush>
        <Plain
          label={t.nav.nodes}
          wide={[3, 4, 5]}
          head={[
            p.nodes.name,
            p.nodes.status,
            p.nodes.servers,
            p.nodes.version,
            p.nodes.started,
            p.nodes.seen,
            <span key="actions" className="visually-hidden">
              {a.keys.actions}
            </span>,
          ]}
          rows={nodes.map((node) => ({
            key: node.name,
            cells: [
              node.name,
              <Badge key="status" tone={!node.alive ? "Bad" : node.draining ? "Warn" : "Good"}>
                {!node.alive ? p.nodes.silent : node.draining ? p.nodes.draining : p.nodes.alive}
              </Badge>,
              <div key="servers" className={css.wrap}>
                {node.servers.join(", ") || p.nodes.none}
              </div>,
              node.version,
              <Time key="started" at={node.startedAt} />,
              <Time key="seen" at={node.seenAt} relative />,
              <div key="drain" className={css.buttons}>
                <Button small onClick={() => setAsked(node)}>
                  {node.draining ? p.nodes.resume : p.nodes.drain}
                  <span className="visually-hidden">{node.name}</span>
                </Button>
              </div>,
            ],
          }))}
        />
      </Card>
      {asked && (
        <Confirm
          title={asked.draining ? p.nodes.resumeTitle(asked.name) : p.nodes.drainTitle(asked.name)}
          action={asked.draining ? p.nodes.resume : p.nodes.drain}
          danger={!asked.draining}
          run={async () => {
            const { name } = asked;
            await (asked.draining ? api.admin.resumeNode({ name }) : api.admin.drainNode({ name }));
            await refetch();
          }}
          onClose={() => setAsked(undefined)}
        >
          <p>{asked.draining ? p.nodes.resumeText : p.nodes.drainText}</p>
          {!asked.draining && alone(asked) && <Banner tone="bad">{p.nodes.drainAlone}</Banner>}
        </Confirm>
      )}
    </Page>
  );
}
