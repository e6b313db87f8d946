import { create } from "@bufbuild/protobuf";
import { CallOutcome, type RetryRule, RetryRuleSchema } from "@trunkline/client";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { checkText, fieldOf, fieldValue } from "../../forms/rules";
import { t } from "../../text/en";
import { Button } from "../../ui/button";
import controls from "../../ui/controls.module.css";
import css from "./queue.module.css";

const OUTCOMES = [CallOutcome.BUSY, CallOutcome.NO_ANSWER, CallOutcome.CONGESTION, CallOutcome.FAILED];
const FIELDS = [
  ["max_retries", t.rules.ruleMax],
  ["delay", t.rules.ruleDelay],
  ["backoff", t.rules.ruleBackoff],
  ["jitter", t.rules.ruleJitter],
] as const;

/** How each kind of failure is retried: at most one line for an outcome. */
export function RetryRules({ value, onChange }: { value: RetryRule[]; onChange: (value: RetryRule[]) => void }) {
  const free = OUTCOMES.filter((outcome) => !value.some((it) => it.outcome === outcome));
  const change = (at: number, part: Partial<RetryRule>) =>
    onChange(value.map((it, n) => (n === at ? create(RetryRuleSchema, { ...it, ...part }) : it)));
  return (
    <div className={css.rows}>
      {value.map((rule, at) => {
        const name = t.outcome[rule.outcome ?? 0];
        return (
          <div key={rule.outcome} className={css.row}>
            <label>
              {t.rules.ruleOutcome}
              <select
                className={controls.select}
                value={rule.outcome}
                onChange={(event) => change(at, { outcome: Number(event.target.value) })}
              >
                {OUTCOMES.filter((it) => it === rule.outcome || free.includes(it)).map((it) => (
                  <option key={it} value={it}>
                    {t.outcome[it]}
                  </option>
                ))}
              </select>
            </label>
            {FIELDS.map(([field, label]) => (
              <NumberField key={field} rule={rule} field={field} label={label} onChange={(part) => change(at, part)} />
            ))}
            <Button
              kind="ghost"
              icon
              aria-label={t.rules.removeRule(name)}
              onClick={() => onChange(value.filter((_, n) => n !== at))}
            >
              <X size={15} aria-hidden />
            </Button>
          </div>
        );
      })}
      {free.length > 0 && (
        <div>
          <Button small onClick={() => onChange([...value, create(RetryRuleSchema, { outcome: free[0] })])}>
            <Plus size={13} aria-hidden />
            {t.rules.addRule}
          </Button>
        </div>
      )}
    </div>
  );
}

/** A number of a rule. What is wrong is said, and not passed on. */
function NumberField(props: {
  rule: RetryRule;
  field: string;
  label: string;
  onChange: (part: Partial<RetryRule>) => void;
}) {
  const field = fieldOf(RetryRuleSchema, props.field);
  const known = (props.rule as unknown as Record<string, number | undefined>)[field.localName];
  const [typed, setTyped] = useState(known === undefined ? "" : `${known}`);
  const error = checkText(field, typed);
  return (
    <label>
      {props.label}
      <input
        className={controls.input}
        inputMode="decimal"
        value={typed}
        aria-invalid={error !== undefined}
        onChange={(event) => {
          setTyped(event.target.value);
          if (checkText(field, event.target.value) === undefined) {
            props.onChange({ [field.localName]: fieldValue(field, event.target.value) });
          }
        }}
      />
      {error && <span className={css.rowError}>{error}</span>}
    </label>
  );
}
