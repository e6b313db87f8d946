import { useQuery } from "@connectrpc/connect-query";
import { useQueryClient } from "@tanstack/react-query";
import { AdminService, type Client } from "@trunkline/client";
import type { ReactNode } from "react";
import { useFilter } from "../../router";
import { t } from "../../text/en";
import { admin as a } from "../../text/en/admin";
import { ErrorBanner } from "../../ui/banner";
import { Page } from "../../ui/page";
import { Segments } from "../../ui/segments";
import { Badge } from "../../ui/status";
import { Basics } from "./client/basics";
import { Grants } from "./client/grants";
import { ClientKeys } from "./client/keys";
import { Limits } from "./client/limits";
import { Policy } from "./client/policy";

const { label, ...TABS } = a.tabs;
type Tab = keyof typeof TABS;

/** Returns the id in the address, or 0 if it is none. */
function idOf(text: string | undefined): bigint {
  return /^\d{1,18}$/.test(text ?? "") ? BigInt(text ?? "0") : 0n;
}

/** One client: its state, keys, grants, limits and dial policy. */
export default function ClientPage({ params }: { params: Record<string, string> }) {
  const clientId = idOf(params.clientId);
  const [chosen, choose] = useFilter("tab");
  const tab: Tab = chosen in TABS ? (chosen as Tab) : "basics";
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery(AdminService.method.getClient, { clientId }, { refetchInterval: 5_000 });
  const client = data?.client;
  const onChange = () => void queries.invalidateQueries();
  return (
    <Page
      title={client?.name ?? t.nav.client}
      subtitle={
        client && (
          <>
            <span>
              {a.clients.id} {`${client.clientId}`}
            </span>
            <Badge tone={client.disabled ? "Bad" : "Good"}>
              {client.disabled ? a.clients.disabled : a.clients.enabled}
            </Badge>
          </>
        )
      }
    >
      <ErrorBanner error={error} onRetry={refetch} />
      {client && (
        <>
          <div>
            <Segments
              label={label}
              value={tab}
              options={TABS}
              onChange={(value) => choose(value === "basics" ? "" : value)}
            />
          </div>
          {parts(client, onChange)[tab]()}
        </>
      )}
    </Page>
  );
}

/** Each part begins again with what the server has after a change. */
function parts(client: Client, onChange: () => void): Record<Tab, () => ReactNode> {
  return {
    basics: () => <Basics client={client} onChange={onChange} />,
    keys: () => <ClientKeys clientId={client.clientId} />,
    grants: () => <Grants clientId={client.clientId} onChange={onChange} />,
    limits: () => <Limits client={client} onChange={onChange} />,
    policy: () => <Policy client={client} onChange={onChange} />,
  };
}
