import { useQuery } from "@connectrpc/connect-query";
import { AdminService } from "@trunkline/client";
import { useScope, useWho } from "./hooks";

/** Returns the codes of the servers that the client may dial through. Empty if an administrator has chosen no client. */
export function useDialServers(): string[] {
  const who = useWho();
  const { clientId } = useScope();
  const enabled = who.admin && clientId !== undefined;
  const { data } = useQuery(AdminService.method.getClient, { clientId: clientId ?? 0n }, { enabled });
  return who.admin ? (data?.client?.servers ?? []) : who.servers;
}
