import { type Server, ServerStatus } from "@trunkline/client";
import { platform as p } from "../../../text/en/platform";
import { Badge, type Tone } from "../../../ui/status";

const TONES: Record<ServerStatus, Tone> = {
  [ServerStatus.UNSPECIFIED]: "Idle",
  [ServerStatus.ONLINE]: "Good",
  [ServerStatus.CONNECTING]: "Info",
  [ServerStatus.OFFLINE]: "Bad",
  [ServerStatus.DRAINING]: "Warn",
  [ServerStatus.UNAUTHORIZED]: "Bad",
};

/** What the lane of a server is doing. */
export function ServerBadge({ server }: { server: Server }) {
  return (
    <Badge tone={TONES[server.status] ?? "Idle"} title={p.servers.statusHelp[server.status]}>
      {p.servers.statuses[server.status] ?? `${server.status}`}
    </Badge>
  );
}
