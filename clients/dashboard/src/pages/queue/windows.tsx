import { create } from "@bufbuild/protobuf";
import { type CallingWindow, CallingWindowSchema, type CallingWindows, CallingWindowsSchema } from "@trunkline/client";
import { Plus, X } from "lucide-react";
import { fieldOf, fitsPattern } from "../../forms/rules";
import { t } from "../../text/en";
import { Button } from "../../ui/button";
import controls from "../../ui/controls.module.css";
import css from "./queue.module.css";

const ZONES: string[] = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((it) => it !== "UTC")];

/** When the calls of a queue may be dialed: days and times, in a time zone. */
export function Windows({ value, onChange }: { value: CallingWindows; onChange: (value: CallingWindows) => void }) {
  const set = (part: Partial<CallingWindows>) => onChange(create(CallingWindowsSchema, { ...value, ...part }));
  const change = (at: number, part: Partial<CallingWindow>) =>
    set({ windows: value.windows.map((it, n) => (n === at ? create(CallingWindowSchema, { ...it, ...part }) : it)) });
  return (
    <div className={css.rows}>
      {value.windows.length === 0 && <p>{t.rules.windowsNone}</p>}
      {value.windows.length > 0 && (
        <div className={css.row}>
          <label>
            {t.rules.zone}
            <select
              className={controls.select}
              value={value.timeZone ?? "UTC"}
              onChange={(event) => set({ timeZone: event.target.value })}
            >
              {[...new Set([value.timeZone ?? "UTC", ...ZONES])].map((zone) => (
                <option key={zone}>{zone}</option>
              ))}
            </select>
          </label>
        </div>
      )}
      {value.windows.map((window, at) => (
        <div key={at} className={css.row}>
          <label>
            {t.rules.from}
            <input
              className={controls.input}
              placeholder="09:00"
              value={window.from}
              aria-invalid={!fitsPattern(fieldOf(CallingWindowSchema, "from"), window.from)}
              onChange={(event) => change(at, { from: event.target.value })}
            />
          </label>
          <label>
            {t.rules.to}
            <input
              className={controls.input}
              placeholder="18:00"
              value={window.to}
              aria-invalid={!fitsPattern(fieldOf(CallingWindowSchema, "to"), window.to)}
              onChange={(event) => change(at, { to: event.target.value })}
            />
          </label>
          <fieldset className={css.days}>
            <legend>{t.rules.days}</legend>
            {t.rules.dayNames.map((name, n) => {
              const day = n + 1;
              const all = window.days.length === 0;
              const checked = all || window.days.includes(day);
              const days = all ? [1, 2, 3, 4, 5, 6, 7] : window.days;
              return (
                <label key={name}>
                  <input
                    type="checkbox"
                    className="visually-hidden"
                    checked={checked}
                    onChange={() => {
                      const next = checked ? days.filter((it) => it !== day) : [...days, day].sort();
                      // All days are the same as none named, and a window without days would never open.
                      change(at, { days: next.length === 7 ? [] : next.length === 0 ? [day] : next });
                    }}
                  />
                  <span>{name}</span>
                </label>
              );
            })}
          </fieldset>
          <Button
            kind="ghost"
            icon
            aria-label={t.rules.removeWindow(at + 1)}
            onClick={() => set({ windows: value.windows.filter((_, n) => n !== at) })}
          >
            <X size={15} aria-hidden />
          </Button>
        </div>
      ))}
      <div>
        <Button
          small
          onClick={() =>
            set({ windows: [...value.windows, create(CallingWindowSchema, { from: "09:00", to: "18:00" })] })
          }
        >
          <Plus size={13} aria-hidden />
          {t.rules.addWindow}
        </Button>
      </div>
    </div>
  );
}
