import { useId } from "react";
import controls from "../ui/controls.module.css";
import css from "./field.module.css";
import type { Form } from "./form";

/** A list whose entries are single letters, written as one word. */
export function Letters(props: { form: Form; name: string; label: string; help?: string }) {
  const id = useId();
  const value = props.form.values[props.name];
  const error = props.form.errors[props.name];
  return (
    <div className={css.field}>
      <label htmlFor={id}>{props.label}</label>
      <input
        id={id}
        className={controls.input}
        autoComplete="off"
        spellCheck={false}
        value={Array.isArray(value) ? value.join("") : ""}
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-help`}
        onChange={(event) =>
          props.form.set(props.name, [...new Set(event.target.value.replace(/[\s,]/g, ""))] as string[])
        }
        onBlur={() => props.form.touch(props.name)}
      />
      <div id={`${id}-help`}>
        {error && (
          <p className={css.error} role="alert">
            {error}
          </p>
        )}
        {props.help && <p className={css.help}>{props.help}</p>}
      </div>
    </div>
  );
}
