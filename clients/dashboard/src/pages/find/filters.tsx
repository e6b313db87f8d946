import { useFilters } from "../../router";
import { t } from "../../text/en";
import controls from "../../ui/controls.module.css";
import { OUTCOMES, STATUSES } from "../queues/progress";
import css from "./find.module.css";

/** What narrows the search: status, outcome, server and time. All of it is in the address. */
export function Filters() {
  const [filters, setFilters] = useFilters();
  return (
    <div className={css.filters}>
      <label>
        {t.findPage.status}
        <select
          className={controls.select}
          value={filters.status ?? ""}
          onChange={(event) => setFilters({ status: event.target.value })}
        >
          <option value="">{t.queue.any}</option>
          {STATUSES.map((it) => (
            <option key={it} value={it}>
              {t.callStatus[it]}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t.findPage.outcome}
        <select
          className={controls.select}
          value={filters.outcome ?? ""}
          onChange={(event) => setFilters({ outcome: event.target.value })}
        >
          <option value="">{t.queue.any}</option>
          {OUTCOMES.map((it) => (
            <option key={it} value={it}>
              {t.outcome[it]}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t.findPage.server}
        <input
          key={filters.server ?? ""}
          className={controls.input}
          defaultValue={filters.server ?? ""}
          onKeyDown={(event) => event.key === "Enter" && setFilters({ server: event.currentTarget.value.trim() })}
          onBlur={(event) => setFilters({ server: event.target.value.trim() })}
        />
      </label>
      {(["from", "to"] as const).map((name) => (
        <label key={name}>
          {t.findPage.created} {t.findPage[name].toLowerCase()}
          <input
            className={controls.input}
            type="datetime-local"
            value={filters[name] ?? ""}
            onChange={(event) => setFilters({ [name]: event.target.value })}
          />
        </label>
      ))}
    </div>
  );
}
