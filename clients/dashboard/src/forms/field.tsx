import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { type ReactNode, useId } from "react";
import { t } from "../text/en";
import { classes } from "../ui/classes";
import controls from "../ui/controls.module.css";
import css from "./field.module.css";
import type { Form, Typed } from "./form";
import { fieldOf, ruleOf } from "./rules";

interface Props {
  form: Form;
  /** The name of the field in the proto. */
  name: string;
  label: string;
  /** What the field means, and what it is if it is left empty. */
  help?: ReactNode;
  /** What the number counts, shown after the input. Default: the unit of the field's rule. */
  unit?: string;
  placeholder?: string;
  /** The choices, by the value that is sent. For an enum, these are its numbers. */
  options?: readonly { value: string; label: string }[];
  /** For a text of several lines, or a list with an entry on each line. */
  rows?: number;
  type?: "password" | "datetime-local" | "text";
  disabled?: boolean;
  autoFocus?: boolean;
}

/** A field of a form, with its label, its meaning and what is wrong with it. */
export function Field(props: Props) {
  const { form, name } = props;
  const id = useId();
  const field = fieldOf(form.schema, name);
  const value = form.values[name] ?? "";
  const error = form.errors[name];
  const required = ruleOf(field)?.required ?? false;
  const described = [props.help ? `${id}-help` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  const shared = {
    id,
    disabled: props.disabled,
    autoFocus: props.autoFocus,
    "aria-invalid": error !== undefined,
    "aria-describedby": described || undefined,
    onBlur: () => form.touch(name),
  };
  if (typeof value === "boolean") {
    return (
      <div className={css.field}>
        <label className={css.check}>
          <input
            {...shared}
            type="checkbox"
            className={controls.check}
            checked={value}
            onChange={(event) => form.set(name, event.target.checked)}
          />
          {props.label}
        </label>
        <Help id={id} help={props.help} error={error} />
      </div>
    );
  }
  const unit = props.unit ?? ruleOf(field)?.unit;
  return (
    <div className={css.field}>
      <label htmlFor={id}>
        {props.label}
        {required && <small> {t.form.required}</small>}
      </label>
      <div className={css.input}>
        {props.options ? (
          <select
            {...shared}
            className={controls.select}
            value={`${value}`}
            onChange={(event) => form.set(name, event.target.value)}
          >
            {props.options.map((it) => (
              <option key={it.value} value={it.value}>
                {it.label}
              </option>
            ))}
          </select>
        ) : props.rows || Array.isArray(value) ? (
          <textarea
            {...shared}
            className={controls.area}
            rows={props.rows ?? 3}
            placeholder={props.placeholder}
            value={Array.isArray(value) ? value.join("\n") : value}
            onChange={(event) => form.set(name, read(value, event.target.value))}
          />
        ) : (
          <input
            {...shared}
            className={controls.input}
            type={props.type ?? "text"}
            inputMode={inputMode(field)}
            autoComplete="off"
            placeholder={props.placeholder}
            value={value}
            onChange={(event) => form.set(name, event.target.value)}
          />
        )}
        {unit && <span className={css.unit}>{unit}</span>}
      </div>
      <Help id={id} help={props.help} error={error} />
    </div>
  );
}

/** A list has an entry on each line. Lines that are still empty are kept until the form is sent. */
function read(before: Typed, text: string): Typed {
  if (!Array.isArray(before)) return text;
  return text === "" ? [] : text.split("\n").map((it) => it.trimStart());
}

function inputMode(field: DescField): "numeric" | "decimal" | undefined {
  if (field.fieldKind !== "scalar") return undefined;
  if (field.scalar === ScalarType.DOUBLE) return "decimal";
  return field.scalar === ScalarType.INT32 || field.scalar === ScalarType.INT64 ? "numeric" : undefined;
}

function Help({ id, help, error }: { id: string; help: ReactNode; error: string | undefined }) {
  return (
    <>
      {error && (
        <p id={`${id}-error`} className={css.error} role="alert">
          {error}
        </p>
      )}
      {help && (
        <p id={`${id}-help`} className={css.help}>
          {help}
        </p>
      )}
    </>
  );
}

/** Fields that belong together, beside each other if there is room. */
export function Fields({ title, children, single }: { title?: string; children: ReactNode; single?: boolean }) {
  return (
    <fieldset className={classes(css.fields, single && css.single)}>
      {title && <legend>{title}</legend>}
      {children}
    </fieldset>
  );
}
