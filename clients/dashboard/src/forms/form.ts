import type { DescMessage } from "@bufbuild/protobuf";
import { violations } from "@trunkline/client";
import { useCallback, useMemo, useState } from "react";
import { focusWrong } from "./focus";
import { checkList, checkText, fieldOf, fieldValue } from "./rules";

/** What a viewer has typed into a field: a text, a list of texts, or a choice between yes and no. */
export type Typed = string | string[] | boolean;

/** The state of a form whose fields are those of a message. Names are those in the proto, for example `max_live_calls`. */
export interface Form {
  schema: DescMessage;
  values: Readonly<Record<string, Typed>>;
  /** What is wrong with fields that the viewer has left, or that the server refused. */
  errors: Readonly<Record<string, string>>;
  /** True if anything differs from the beginning. */
  changed: boolean;
  /** The names of the fields that differ from the beginning, for `update_mask`. */
  changes: string[];
  set: (name: string, value: Typed) => void;
  touch: (name: string) => void;
  /** Begins again, with these values or the first ones. */
  reset: (values?: Record<string, Typed>) => void;
  /** Checks all fields. Returns the values for the request by the names of the stubs, or undefined if any is wrong. */
  submit: () => Record<string, unknown> | undefined;
  /** Shows what the server refused at the fields. `prefix` is the path of the form's message in the request, with its dot. */
  refuse: (error: unknown, prefix?: string) => void;
}

function same(a: Typed | undefined, b: Typed | undefined): boolean {
  return Array.isArray(a) && Array.isArray(b) ? a.length === b.length && a.every((it, n) => it === b[n]) : a === b;
}

function check(schema: DescMessage, name: string, value: Typed): string | undefined {
  if (typeof value === "boolean") return undefined;
  const field = fieldOf(schema, name);
  return Array.isArray(value) ? checkList(field, entries(value)) : checkText(field, value);
}

/** Returns the entries of a list without the lines that are empty. */
function entries(lines: readonly string[]): string[] {
  return lines.map((it) => it.trim()).filter((it) => it !== "");
}

/** Keeps a form. `initial` has an entry for each field that the form shows. */
export function useForm(schema: DescMessage, initial: Record<string, Typed>): Form {
  const [first, setFirst] = useState(initial);
  const [values, setValues] = useState(initial);
  const [errors, setErrors] = useState<Record<string, string>>({});

  const judge = useCallback(
    (name: string, value: Typed) =>
      setErrors(({ [name]: _, ...others }) => {
        const wrong = check(schema, name, value);
        return wrong ? { ...others, [name]: wrong } : others;
      }),
    [schema],
  );

  const changes = useMemo(
    () => Object.keys(values).filter((name) => !same(values[name], first[name])),
    [values, first],
  );

  return {
    schema,
    values,
    errors,
    changes,
    changed: changes.length > 0,
    set: (name, value) => {
      setValues((before) => ({ ...before, [name]: value }));
      // While someone types, an error that is shown goes as soon as it is mended, and no new one appears.
      if (errors[name] !== undefined) judge(name, value);
    },
    // What was only passed is not wrong yet; and a message that appears moves the button that is being clicked.
    touch: (name) => {
      if (!same(values[name], first[name])) judge(name, values[name] ?? "");
    },
    reset: (next) => {
      if (next) setFirst(next);
      setValues(next ?? first);
      setErrors({});
    },
    submit: () => {
      const wrong: Record<string, string> = {};
      const made: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(values)) {
        const field = fieldOf(schema, name);
        const error = check(schema, name, value);
        if (error) wrong[name] = error;
        else if (typeof value === "boolean") made[field.localName] = value;
        else if (Array.isArray(value)) made[field.localName] = entries(value).map((it) => fieldValue(field, it) ?? it);
        else made[field.localName] = fieldValue(field, value);
      }
      setErrors(wrong);
      if (Object.keys(wrong).length === 0) return made;
      focusWrong();
      return undefined;
    },
    refuse: (error, prefix = "") => {
      const refused: Record<string, string> = {};
      for (const { field, description } of violations(error)) {
        if (!field.startsWith(prefix)) continue;
        const path = field.slice(prefix.length);
        const name = schema.fields.find(
          (it) =>
            path === it.jsonName ||
            path === it.name ||
            path.startsWith(`${it.name}[`) ||
            path.startsWith(`${it.jsonName}[`),
        )?.name;
        if (name && name in values) refused[name] = description;
      }
      setErrors((before) => ({ ...before, ...refused }));
    },
  };
}
