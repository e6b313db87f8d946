import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type AuditEntry, type AuditHead } from "@trunkline/client";
import { ScrollText } from "lucide-react";
import { useMemo, useState } from "react";
import { api } from "../../api/transport";
import { t } from "../../text/en";
import { audit as u } from "../../text/en/webhooks";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { CopyButton } from "../../ui/copy";
import { Empty } from "../../ui/empty";
import { count } from "../../ui/numbers";
import { Page } from "../../ui/page";
import { useSend } from "../../ui/send";
import { type Column, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import css from "./admin.module.css";
import { Entry } from "./audit/entry";
import { verify } from "./audit/verify";

const PAGE = 200;

/** Every change that an administrator made, newest first. The chain of hashes is checked as it is loaded. */
export default function Audit() {
  const { data, error, refetch, isPending } = useQuery(
    AdminService.method.listAudit,
    { pageSize: PAGE },
    { refetchInterval: 5_000 },
  );
  const [older, setOlder] = useState<AuditEntry[]>([]);
  const [ended, setEnded] = useState(false);
  const [opened, setOpened] = useState<AuditEntry>();
  const { busy, error: failure, run } = useSend();
  const entries = useMemo(() => {
    const known = new Map<bigint, AuditEntry>();
    for (const entry of [...(data?.results ?? []), ...older]) known.set(entry.auditId, entry);
    return [...known.values()].sort((x, y) => (x.auditId < y.auditId ? 1 : -1));
  }, [data, older]);
  const more = async () => {
    const last = entries.at(-1);
    if (!last) return;
    const answer = await run(() => api.admin.listAudit({ pageSize: PAGE, before: last.auditId }));
    if (!answer) return;
    // What was loaded at first may move out of the newest page; so it is kept.
    setOlder([...entries, ...answer.results]);
    setEnded(answer.results.length < PAGE);
  };
  const hasMore = !ended && (data?.results.length ?? 0) >= PAGE;
  const columns: Column<AuditEntry>[] = [
    {
      id: "at",
      title: u.at,
      width: "110px",
      cell: (it) => <Time at={it.at} />,
    },
    {
      id: "action",
      title: u.action,
      width: "minmax(120px, 1.3fr)",
      cell: (it) => (
        <button type="button" className={css.open} onClick={() => setOpened(it)}>
          {it.action}
        </button>
      ),
    },
    { id: "target", title: u.target, width: "minmax(90px, 1.5fr)", cell: (it) => it.target },
    { id: "actor", title: u.actor, width: "minmax(80px, 1fr)", cell: (it) => it.actor },
    {
      id: "address",
      title: u.address,
      width: "minmax(90px, 1fr)",
      wide: true,
      cell: (it) => it.remoteAddress ?? t.time.none,
    },
    { id: "seq", title: u.chain, width: "60px", align: "end", wide: true, cell: (it) => `${it.seq ?? t.time.none}` },
  ];
  return (
    <Page fill title={t.nav.audit}>
      <p className={css.text}>{u.text}</p>
      <ErrorBanner error={error ?? failure} onRetry={refetch} />
      {entries.length > 0 && <Chain entries={entries} head={data?.head} />}
      <div className={css.tableCard}>
        <Table
          label={t.nav.audit}
          columns={columns}
          count={entries.length}
          row={(n) => entries[n]}
          rowKey={(it) => `${it.auditId}`}
          loading={isPending}
          empty={
            <Empty icon={ScrollText} title={u.empty}>
              {u.emptyText}
            </Empty>
          }
          footer={
            hasMore && (
              <Button small disabled={busy} onClick={more}>
                {u.more}
              </Button>
            )
          }
        />
      </div>
      {opened && <Entry entry={opened} onClose={() => setOpened(undefined)} />}
    </Page>
  );
}

/** Says whether the chain of hashes is whole, and what its head is. */
function Chain({ entries, head }: { entries: AuditEntry[]; head: AuditHead | undefined }) {
  const verdict = useMemo(() => verify(entries, head), [entries, head]);
  return (
    <Banner
      tone={"broken" in verdict ? "bad" : "good"}
      live={false}
      action={head && <CopyButton text={head.hash} label={u.copyHead} />}
    >
      <span data-verdict={"broken" in verdict ? verdict.why : "whole"}>
        {"broken" in verdict
          ? u.broken(verdict.broken.auditId, u.why[verdict.why])
          : u.verified(count(verdict.checked))}
      </span>
      {head && (
        <p className={css.head} title={u.headHelp}>
          {u.head} {`${head.seq}`}: <code>{head.hash}</code>
        </p>
      )}
    </Banner>
  );
}
