import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type Client } from "@trunkline/client";
import { useStore } from "../store";
import { scope } from "./scope";
import { session, type Who } from "./session";

const NOBODY: Who = { admin: false, writes: false, name: "", servers: [] };

/** Returns whom the key of this tab belongs to. */
export function useWho(): Who {
  return useStore(session).who ?? NOBODY;
}

/** Returns `{ clientId }` for requests, as the administrator has chosen. Empty for a client's key. */
export function useScope(): { clientId?: bigint } {
  const clientId = useStore(scope);
  const { admin } = useWho();
  return admin && clientId !== undefined ? { clientId } : {};
}

/** Returns all clients for an administrator, and nothing for anyone else. */
export function useClients(): Client[] {
  const { admin } = useWho();
  const { data } = useQuery(AdminService.method.listClients, { pageSize: 1000 }, { enabled: admin, staleTime: 30_000 });
  return data?.results ?? [];
}

/** Returns a function that gives the name of a client. */
export function useClientName(): (clientId: bigint | undefined) => string {
  const clients = useClients();
  return (clientId) =>
    clients.find((it) => it.clientId === clientId)?.name ?? (clientId === undefined ? "" : `#${clientId}`);
}
