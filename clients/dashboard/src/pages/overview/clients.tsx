import { StatisticsBy } from "@trunkline/client";
import { useClients, useScope } from "../../api/hooks";
import { scope } from "../../api/scope";
import { type Period, useStatistics } from "../../api/statistics";
import { t } from "../../text/en";
import { Button } from "../../ui/button";
import { Gauge } from "../../ui/gauge";
import { count, percent, tenths } from "../../ui/numbers";
import { Card } from "../../ui/page";
import { Plain } from "../../ui/plain-table";

/** For administrators who look at all clients: how much each of them dials. */
export function Clients({ period }: { period: Period }) {
  const clients = useClients();
  const { clientId } = useScope();
  const { data } = useStatistics({ period, by: StatisticsBy.CLIENT, enabled: clientId === undefined });
  if (clientId !== undefined) return null;
  const of = (id: bigint) => data?.series.find((it) => it.clientId === id);
  const busiest = [...clients].sort((a, b) =>
    Number((of(b.clientId)?.total?.attempts ?? 0n) - (of(a.clientId)?.total?.attempts ?? 0n)),
  );
  return (
    <Card flush title={t.overview.clients}>
      <Plain
        label={t.overview.clients}
        head={[
          t.overview.client,
          t.overview.clientLive,
          t.overview.clientWaiting,
          t.overview.clientRate,
          t.overview.clientAttempts,
          t.overview.clientAnswered,
          t.overview.clientLimit,
        ]}
        end={[1, 2, 3, 4, 5]}
        rows={busiest.map((client) => {
          const series = of(client.clientId);
          const most = client.limits?.maxLiveCalls;
          return {
            key: `${client.clientId}`,
            cells: [
              <Button key="name" kind="ghost" small onClick={() => scope.choose(client.clientId)}>
                {client.name}
                {client.disabled && ` (${t.overview.disabled})`}
              </Button>,
              count(series?.now?.live ?? 0n),
              count(series?.now?.waiting ?? 0n),
              tenths(series?.now?.attemptsPerSecond ?? 0),
              count(series?.total?.attempts ?? 0n),
              series?.total?.asr === undefined ? t.time.none : percent(series.total.asr),
              most === undefined ? (
                t.form.noLimit
              ) : (
                <Gauge key="limit" value={Number(series?.now?.live ?? 0n)} max={most} label={t.overview.clientLimit} />
              ),
            ],
          };
        })}
      />
    </Card>
  );
}
