import { CallStatus } from "@trunkline/client";
import { PhoneOff } from "lucide-react";
import { useMemo, useState } from "react";
import { Link } from "wouter";
import { useClientName, useScope, useWho } from "../../api/hooks";
import { serverNow } from "../../api/session";
import { EndCall } from "../../calls/end";
import type { LiveCall } from "../../live/calls";
import { live, useLiveFrame } from "../../live/live";
import { useFilters } from "../../router";
import { useStore } from "../../store";
import { t } from "../../text/en";
import { Banner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { classes } from "../../ui/classes";
import controls from "../../ui/controls.module.css";
import { Empty } from "../../ui/empty";
import { count, tenths } from "../../ui/numbers";
import { Page } from "../../ui/page";
import { Badge, CallStatusBadge, OutcomeBadge } from "../../ui/status";
import { type Column, Table } from "../../ui/table";
import { duration, useNow } from "../../ui/time";
import css from "../queues/queues.module.css";

const numberOf = (call: LiveCall) => (call.contactNumber === undefined ? call.channel : `${call.contactNumber}`);

/** Returns the trunk of a channel: what is after `@`. */
function trunk(channel: string): string {
  const at = channel.lastIndexOf("@");
  return at < 0 ? "" : (channel.slice(at + 1).split(/[/,]/)[0] ?? "");
}

/** Returns true if a call has the text that the viewer searches for. */
function has(call: LiveCall, text: string): boolean {
  if (text === "") return true;
  if (call.channel.toLowerCase().includes(text) || call.callId.startsWith(text)) return true;
  const digits = text.replace(/[\s+\-./()]/g, "");
  if (/^\d+$/.test(digits) && `${call.contactNumber ?? ""}`.includes(digits)) return true;
  return Object.entries(call.labels).some(([key, value]) => `${key}:${value}`.toLowerCase() === text);
}

/** The calls that are live. Rows stay in the order in which their attempts began, so that they do not jump. */
export default function Live() {
  const [ending, setEnding] = useState<LiveCall>();
  return (
    <>
      <LiveTable onEnd={setEnding} />
      {ending && (
        <EndCall
          callId={ending.callId}
          number={numberOf(ending)}
          status={ending.status}
          onClose={() => setEnding(undefined)}
        />
      )}
    </>
  );
}

function LiveTable({ onEnd }: { onEnd: (call: LiveCall) => void }) {
  useLiveFrame();
  useNow(1000);
  const who = useWho();
  const scope = useScope();
  const state = useStore(live.state);
  const clientName = useClientName();
  const [filters, setFilters] = useFilters();
  const { status: wantedStatus, server, q } = filters;
  const status = Number(wantedStatus ?? 0) || undefined;
  const text = (q ?? "").trim().toLowerCase();
  const queueId = /^\d+$/.test(filters.queue ?? "") ? BigInt(filters.queue ?? "0") : undefined;

  const rows: LiveCall[] = [];
  const servers = new Set<string>(server ? [server] : []);
  for (const call of live.calls.calls.values()) {
    servers.add(call.server);
    if (status !== undefined && call.status !== status) continue;
    if (server && call.server !== server) continue;
    if (queueId !== undefined && call.queueId !== queueId) continue;
    if (has(call, text)) rows.push(call);
  }
  const seconds = live.calls.recent(5);
  const rate = seconds.reduce((sum, it) => sum + it.attempts, 0) / 5;
  const showClient = who.admin && scope.clientId === undefined;

  const columns = useMemo(
    (): Column<LiveCall>[] => [
      { id: "number", title: t.livePage.number, width: "minmax(98px, 1.1fr)", cell: numberOf },
      {
        id: "status",
        title: t.livePage.status,
        width: "minmax(92px, 150px)",
        cell: (call) =>
          call.leftAt !== undefined && call.outcome !== undefined ? (
            <OutcomeBadge outcome={call.outcome} />
          ) : call.bridged && call.status === CallStatus.ANSWERED ? (
            <Badge tone="Good">{t.livePage.connected}</Badge>
          ) : (
            <CallStatusBadge status={call.status} />
          ),
      },
      {
        id: "duration",
        title: t.livePage.duration,
        width: "52px",
        align: "end",
        cell: (call) => duration(((call.leftAt ?? serverNow()) - call.startedAt) / 1000),
      },
      {
        id: "queue",
        title: t.livePage.queueColumn,
        width: "80px",
        align: "end",
        wide: true,
        cell: (call) => <Link to={`/queues/${call.queueId}`}>{`${call.queueId}`}</Link>,
      },
      { id: "server", title: t.livePage.server, width: "minmax(80px, 130px)", wide: true, cell: (call) => call.server },
      {
        id: "trunk",
        title: t.livePage.trunk,
        width: "minmax(80px, 130px)",
        wide: true,
        cell: (call) => trunk(call.channel),
      },
      {
        id: "attempt",
        title: t.livePage.attempt,
        width: "36px",
        align: "end",
        wide: true,
        cell: (call) => call.attempt,
      },
      ...(showClient
        ? [
            {
              id: "client",
              title: t.livePage.client,
              width: "minmax(70px, 120px)",
              wide: true,
              cell: (call: LiveCall) => clientName(call.clientId),
            },
          ]
        : []),
      ...(who.writes
        ? [
            {
              id: "actions",
              title: "",
              label: t.livePage.actions,
              width: "28px",
              align: "end" as const,
              cell: (call: LiveCall) =>
                call.leftAt === undefined && (
                  <Button
                    kind="ghost"
                    small
                    icon
                    aria-label={`${call.status === CallStatus.ANSWERED ? t.livePage.hangUp : t.livePage.cancel}: ${numberOf(call)}`}
                    onClick={() => onEnd(call)}
                  >
                    <PhoneOff size={14} aria-hidden />
                  </Button>
                ),
            },
          ]
        : []),
    ],
    [showClient, who.writes, clientName, onEnd],
  );
  const filtered = status !== undefined || !!server || text !== "" || queueId !== undefined;

  return (
    <Page
      fill
      title={t.livePage.title}
      subtitle={<span data-testid="live-summary">{t.livePage.summary(count(live.calls.live), tenths(rate))}</span>}
    >
      {(state.kind === "away" || state.kind === "paused") && (
        <Banner tone="warn" live={false}>
          <strong>{t.livePage.paused}</strong>
        </Banner>
      )}
      <div className={css.filters}>
        <input
          key={q ?? ""}
          className={classes(controls.input, css.search)}
          type="search"
          aria-label={t.livePage.search}
          placeholder={t.livePage.search}
          defaultValue={q ?? ""}
          onKeyDown={(event) => event.key === "Enter" && setFilters({ q: event.currentTarget.value.trim() })}
          onBlur={(event) => setFilters({ q: event.target.value.trim() })}
        />
        <select
          className={controls.select}
          aria-label={t.livePage.status}
          value={status ?? 0}
          onChange={(event) => setFilters({ status: event.target.value === "0" ? "" : event.target.value })}
        >
          <option value={0}>{t.livePage.anyStatus}</option>
          {[CallStatus.DIALING, CallStatus.RINGING, CallStatus.ANSWERED].map((it) => (
            <option key={it} value={it}>
              {t.callStatus[it]}
            </option>
          ))}
        </select>
        <select
          className={controls.select}
          aria-label={t.livePage.server}
          value={server ?? ""}
          onChange={(event) => setFilters({ server: event.target.value })}
        >
          <option value="">{t.livePage.anyServer}</option>
          {[...servers].sort().map((it) => (
            <option key={it}>{it}</option>
          ))}
        </select>
        {filtered && (
          <Button kind="ghost" onClick={() => setFilters({ q: "", status: "", server: "", queue: "" })}>
            {t.actions.clear}
          </Button>
        )}
      </div>
      <div className={css.frame}>
        <Table
          label={t.livePage.title}
          columns={columns}
          count={rows.length}
          row={(n) => rows[n]}
          rowKey={(call) => call.callId}
          href={(call) => `/calls/${call.callId}`}
          dim={(call) => call.leftAt !== undefined}
          footer={live.calls.unlisted > 0 && <span>{t.livePage.unlisted(count(live.calls.unlisted))}</span>}
          empty={
            filtered ? (
              <Empty title={t.livePage.noneMatch}>{t.livePage.noneMatchText}</Empty>
            ) : (
              <Empty title={t.livePage.empty}>{t.livePage.emptyText}</Empty>
            )
          }
        />
      </div>
    </Page>
  );
}
