import { useQuery } from "@connectrpc/connect-query";
import { AdminService } from "@trunkline/client";
import { useWho } from "../../api/hooks";

/** Returns the servers to choose from: all for an administrator, and those that were granted for anyone else. */
export function useServerChoices(): { value: string; label: string }[] {
  const { admin, servers } = useWho();
  const { data } = useQuery(AdminService.method.listServers, {}, { enabled: admin, staleTime: 10_000 });
  const codes = admin ? (data?.results.map((it) => it.code) ?? []) : servers;
  return codes.map((code) => ({ value: code, label: code }));
}
