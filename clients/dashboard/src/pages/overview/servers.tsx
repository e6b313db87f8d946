import { useQuery } from "@connectrpc/connect-query";
import { AdminService, ServerStatus, StatisticsBy } from "@trunkline/client";
import { Server as ServerIcon } from "lucide-react";
import { Link } from "wouter";
import { useWho } from "../../api/hooks";
import { useStatistics } from "../../api/statistics";
import { live, useLiveFrame } from "../../live/live";
import { t } from "../../text/en";
import { ErrorBanner } from "../../ui/banner";
import { LinkButton } from "../../ui/button";
import { Empty } from "../../ui/empty";
import { Gauge } from "../../ui/gauge";
import { count, tenths } from "../../ui/numbers";
import { Card } from "../../ui/page";
import { Plain } from "../../ui/plain-table";
import { Badge, type Tone } from "../../ui/status";

const TONES: Record<number, Tone> = {
  [ServerStatus.ONLINE]: "Good",
  [ServerStatus.CONNECTING]: "Info",
  [ServerStatus.OFFLINE]: "Bad",
  [ServerStatus.DRAINING]: "Warn",
  [ServerStatus.UNAUTHORIZED]: "Bad",
};

/** The servers, whether they are well, and how much of what they may do they are doing. */
export function Servers() {
  const who = useWho();
  return who.admin ? <All /> : <Granted />;
}

function All() {
  const { data, error, refetch } = useQuery(AdminService.method.listServers, {}, { refetchInterval: 3_000 });
  return (
    <Card flush title={t.overview.servers}>
      <ErrorBanner error={error} onRetry={() => refetch()} />
      {data && data.results.length === 0 ? (
        <Empty
          icon={ServerIcon}
          title={t.overview.noServers}
          actions={<LinkButton to="/admin/servers">{t.overview.addServer}</LinkButton>}
        >
          {t.overview.noServersText}
        </Empty>
      ) : (
        <Plain
          label={t.overview.servers}
          head={[t.overview.server, t.overview.health, t.overview.channels, t.overview.pace]}
          end={[3]}
          rows={(data?.results ?? []).map((server) => ({
            key: server.code,
            cells: [
              <Link key="code" to={`/admin/servers/${encodeURIComponent(server.code)}`}>
                {server.code}
              </Link>,
              <Badge key="status" tone={TONES[server.status] ?? "Idle"} title={server.lastError}>
                {t.serverStatus[server.status]}
              </Badge>,
              <Gauge key="live" value={server.liveCalls} max={server.maxChannels} label={t.overview.channels} />,
              tenths(server.callsPerSecond),
            ],
          }))}
        />
      )}
    </Card>
  );
}

/** What a client may know of its servers: how many of its calls are live on each. */
function Granted() {
  const who = useWho();
  const { data } = useStatistics({ period: "hour", by: StatisticsBy.SERVER });
  useLiveFrame();
  const lives = new Map<string, number>();
  for (const call of live.calls.calls.values()) {
    if (call.leftAt === undefined) lives.set(call.server, (lives.get(call.server) ?? 0) + 1);
  }
  return (
    <Card flush title={t.overview.servers}>
      {who.servers.length === 0 ? (
        <Empty icon={ServerIcon} title={t.overview.noGrant}>
          {t.overview.noGrantText}
        </Empty>
      ) : (
        <Plain
          label={t.overview.servers}
          head={[t.overview.server, t.overview.clientLive, t.overview.clientWaiting, t.overview.pace]}
          end={[1, 2, 3]}
          rows={who.servers.map((code) => {
            const now = data?.series.find((it) => it.asteriskServerCode === code)?.now;
            return {
              key: code,
              cells: [
                code,
                count(lives.get(code) ?? 0),
                count(now?.waiting ?? 0n),
                tenths(now?.attemptsPerSecond ?? 0),
              ],
            };
          })}
        />
      )}
    </Card>
  );
}
