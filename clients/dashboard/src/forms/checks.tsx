import { useId } from "react";
import controls from "../ui/controls.module.css";
import css from "./checks.module.css";
import fields from "./field.module.css";
import type { Form } from "./form";

/** A list of choices, any number of which can be taken. The field of the form is a list. */
export function Checks(props: {
  form: Form;
  name: string;
  label: string;
  help?: React.ReactNode;
  options: readonly { value: string; label: string; help?: string }[];
  disabled?: boolean;
}) {
  const id = useId();
  const value = props.form.values[props.name];
  const chosen = Array.isArray(value) ? value : [];
  const error = props.form.errors[props.name];
  const toggle = (it: string, on: boolean) =>
    props.form.set(props.name, on ? [...chosen, it] : chosen.filter((other) => other !== it));
  return (
    <fieldset className={fields.field} aria-describedby={props.help || error ? `${id}-help` : undefined}>
      <legend className={css.legend}>{props.label}</legend>
      <div className={css.options}>
        {props.options.map((it) => (
          <label key={it.value} className={fields.check} title={it.help}>
            <input
              type="checkbox"
              className={controls.check}
              checked={chosen.includes(it.value)}
              disabled={props.disabled}
              aria-invalid={error !== undefined}
              onChange={(event) => toggle(it.value, event.target.checked)}
            />
            {it.label}
          </label>
        ))}
      </div>
      <div id={`${id}-help`}>
        {error && (
          <p className={fields.error} role="alert">
            {error}
          </p>
        )}
        {props.help && <p className={fields.help}>{props.help}</p>}
      </div>
    </fieldset>
  );
}
