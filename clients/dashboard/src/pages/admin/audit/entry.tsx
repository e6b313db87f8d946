import type { AuditEntry } from "@trunkline/client";
import { audit as u } from "../../../text/en/webhooks";
import { Dialog } from "../../../ui/dialog";
import { Plain } from "../../../ui/plain-table";
import { Time } from "../../../ui/time";
import css from "../admin.module.css";

/** Returns the fields of an object that is written as JSON. A text that is none is the only field. */
function fieldsOf(json: string | undefined): Record<string, unknown> {
  if (!json) return {};
  try {
    const value: unknown = JSON.parse(json);
    return value !== null && typeof value === "object" ? (value as Record<string, unknown>) : { "": value };
  } catch {
    return { "": json };
  }
}

/** Writes JSON on several lines. */
function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** One entry of the audit log with everything that it says. */
export function Entry({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const [before, after] = [fieldsOf(entry.before), fieldsOf(entry.after)];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const facts: [string, React.ReactNode][] = [
    [u.at, <Time key="at" at={entry.at} />],
    [u.actor, entry.actor],
    [u.target, entry.target],
    [u.address, entry.remoteAddress ?? "–"],
    [u.requestId, <code key="id">{entry.requestId}</code>],
    [u.seq, entry.seq === undefined ? "–" : `${entry.seq}`],
  ];
  return (
    <Dialog wide title={`${entry.action} · ${u.open(entry.auditId)}`} onClose={onClose}>
      <dl className={css.facts}>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {names.length > 0 && (
        <section className={css.form}>
          <h3>{u.changes}</h3>
          {entry.before === undefined && <p className={css.text}>{u.created}</p>}
          {entry.after === undefined && <p className={css.text}>{u.deleted}</p>}
          <Plain
            label={u.changes}
            head={[u.field, u.before, u.after]}
            rows={names.map((name) => ({
              key: name,
              cells: [
                name,
                <div key="before" className={css.wrap}>
                  {u.value(before[name])}
                </div>,
                <div key="after" className={css.wrap}>
                  {u.value(after[name])}
                </div>,
              ],
            }))}
          />
        </section>
      )}
      <section className={css.form}>
        <h3>{u.request}</h3>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard. */}
        <pre className={css.json} tabIndex={0}>
          {pretty(entry.detail)}
        </pre>
      </section>
      {entry.hash && (
        <dl className={css.facts}>
          <div>
            <dt>{u.hash}</dt>
            <dd>
              <code>{entry.hash}</code>
            </dd>
          </div>
          <div>
            <dt>{u.previous}</dt>
            <dd>
              <code>{entry.previousHash}</code>
            </dd>
          </div>
        </dl>
      )}
    </Dialog>
  );
}
