import { type TrunkLimits, TrunkLimitsSchema, violations } from "@trunkline/client";
import { Plus, X } from "lucide-react";
import { useId } from "react";
import { checkText, fieldOf, fieldValue } from "../../../forms/rules";
import { useFilter } from "../../../router";
import { platform } from "../../../text/en/platform";
import { Button } from "../../../ui/button";
import controls from "../../../ui/controls.module.css";
import css from "./trunks.module.css";

const s = platform.server;

/** What was typed for one trunk. */
export interface TrunkRow {
  trunk: string;
  max_channels: string;
  calls_per_second: string;
  errors: Record<string, string>;
}

const COLUMNS = [
  ["trunk", s.trunk, ""],
  ["max_channels", s.trunkLive, s.noLimit],
  ["calls_per_second", s.trunkRate, s.noLimit],
] as const;

/** Writes the limits of trunks as their rows take them. */
export function trunkRows(trunks: readonly TrunkLimits[]): TrunkRow[] {
  return trunks.map(({ trunk, maxChannels, callsPerSecond }) => ({
    trunk,
    max_channels: `${maxChannels ?? ""}`,
    calls_per_second: `${callsPerSecond ?? ""}`,
    errors: {},
  }));
}

/** Checks the rows. Returns them with what is wrong, and the values for the request if nothing is. */
export function checkTrunks(
  rows: readonly TrunkRow[],
): [rows: TrunkRow[], values: Record<string, unknown>[] | undefined] {
  let wrong = false;
  const values: Record<string, unknown>[] = [];
  const checked = rows.map((row) => {
    const errors: Record<string, string> = {};
    const made: Record<string, unknown> = {};
    for (const [name] of COLUMNS) {
      const field = fieldOf(TrunkLimitsSchema, name);
      const error = checkText(field, row[name]);
      if (error) errors[name] = error;
      else made[field.localName] = fieldValue(field, row[name]);
    }
    wrong ||= Object.keys(errors).length > 0;
    values.push(made);
    return { ...row, errors };
  });
  return [checked, wrong ? undefined : values];
}

/** Returns the rows with what the server refused. */
export function refuseTrunks(rows: readonly TrunkRow[], error: unknown): TrunkRow[] {
  const refused = rows.map((row) => ({ ...row }));
  for (const { field, description } of violations(error)) {
    const found = field.match(/^trunks\[(\d+)\](?:\.(\w+))?$/);
    const row = found && refused[Number(found[1])];
    if (row) row.errors = { ...row.errors, [found[2] ?? "trunk"]: description };
  }
  return refused;
}

/** The limits of the trunks of a server, one trunk in each row. */
export function Trunks({ rows, onChange }: { rows: TrunkRow[]; onChange: (rows: TrunkRow[]) => void }) {
  const id = useId();
  const [because] = useFilter("because");
  const [field] = useFilter("field");
  const set = (index: number, change: Partial<TrunkRow>) =>
    onChange(rows.map((row, n) => (n === index ? { ...row, ...change } : row)));
  return (
    <fieldset className={css.trunks}>
      <legend>{s.trunks}</legend>
      <p className={css.text}>{s.trunksText}</p>
      {rows.map((row, index) => (
        <div key={index} className={css.row}>
          {COLUMNS.map(([name, label, placeholder]) => {
            const error = row.errors[name];
            const own = `${id}-${index}-${name}`;
            return (
              <div key={name} className={css.cell}>
                <label htmlFor={own}>{label}</label>
                <input
                  id={own}
                  className={controls.input}
                  value={row[name]}
                  placeholder={placeholder}
                  autoComplete="off"
                  // biome-ignore lint/a11y/noAutofocus: the link that led here is about this limit.
                  autoFocus={because.includes(`trunk ${row.trunk} `) && name === field}
                  inputMode={name === "trunk" ? undefined : "decimal"}
                  aria-invalid={error !== undefined}
                  aria-describedby={error ? `${own}-error` : undefined}
                  onChange={(event) => set(index, { [name]: event.target.value })}
                />
                {error && (
                  <small id={`${own}-error`} role="alert">
                    {error}
                  </small>
                )}
              </div>
            );
          })}
          <Button
            kind="ghost"
            icon
            aria-label={s.removeTrunk(row.trunk)}
            onClick={() => onChange(rows.filter((_, n) => n !== index))}
          >
            <X size={15} aria-hidden />
          </Button>
        </div>
      ))}
      <div>
        <Button onClick={() => onChange([...rows, { trunk: "", max_channels: "", calls_per_second: "", errors: {} }])}>
          <Plus size={15} aria-hidden />
          {s.addTrunk}
        </Button>
      </div>
    </fieldset>
  );
}
