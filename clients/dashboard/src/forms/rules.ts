import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { type FieldRule, rule } from "@trunkline/client";
import { t } from "../text/en";

/*
 * The server checks requests by the `(rule)` options of the protos. The stubs carry the same options, so forms and files
 * are checked by them before they are sent, and can never disagree with the server.
 */

/** Returns the descriptor of a field by its name in the proto, for example `max_live_calls`. */
export function fieldOf(schema: DescMessage, name: string): DescField {
  const field = schema.fields.find((it) => it.name === name || it.localName === name);
  if (!field) throw new Error(`${schema.typeName} has no field ${name}`);
  return field;
}

/** Returns the rule of a field. Undefined if it has none. */
export function ruleOf(field: DescField): FieldRule | undefined {
  return hasOption(field, rule) ? getOption(field, rule) : undefined;
}

const number = (value: number | bigint) => value.toLocaleString("en");

/** Returns what is wrong with the text of a field, or undefined. An empty text stands for an absent field. */
export function checkText(field: DescField, text: string): string | undefined {
  const it = ruleOf(field);
  if (text === "") return it?.required ? t.form.missing : undefined;
  // The rule names the values of an enum; here they are numbers, of which a form offers only those.
  if (field.fieldKind === "enum") return undefined;
  const isNumber =
    field.fieldKind === "scalar" && field.scalar !== ScalarType.STRING && field.scalar !== ScalarType.BOOL;
  return isNumber ? checkNumber(field, it, text) : checkString(it, text);
}

function checkNumber(field: DescField, it: FieldRule | undefined, text: string): string | undefined {
  const real =
    field.fieldKind === "scalar" && (field.scalar === ScalarType.DOUBLE || field.scalar === ScalarType.FLOAT);
  let value: number | bigint;
  if (real) {
    value = Number(text);
    if (Number.isNaN(value)) return t.form.notNumber;
  } else {
    if (!/^[+-]?\d+$/.test(text.trim())) return Number.isNaN(Number(text)) ? t.form.notNumber : t.form.notWhole;
    value = BigInt(text.trim().replace(/^\+/, ""));
  }
  const unit = it?.unit ?? "";
  if (it?.min !== undefined && value < it.min) return t.form.min(number(it.min), unit);
  if (it?.above !== undefined && value <= it.above) return t.form.above(number(it.above), unit);
  if (it?.max !== undefined && value > it.max) return t.form.max(number(it.max), unit);
  return undefined;
}

const encoder = new TextEncoder();

function checkString(it: FieldRule | undefined, text: string): string | undefined {
  if (!it) return undefined;
  const length = [...text].length;
  if (it.minLength !== undefined && length < it.minLength) return t.form.minLength(it.minLength);
  if (it.maxLength !== undefined && length > it.maxLength) return t.form.maxLength(it.maxLength);
  if (it.maxBytes !== undefined && encoder.encode(text).length > it.maxBytes) return t.form.maxBytes(it.maxBytes);
  if (it.minDigits !== undefined && it.maxDigits !== undefined) {
    const digits = text.replace(/[\s+\-.()/]/g, "");
    if (!/^\d+$/.test(digits) || digits.length < it.minDigits || digits.length > it.maxDigits) {
      return t.form.minDigits(it.minDigits, it.maxDigits);
    }
  }
  if (it.plain && /[\r\n\0]|\$\{|\$\[/.test(text)) return t.form.plain;
  if (it.allowed && !new RegExp(`^[${it.allowed}]*$`).test(text)) return t.form.allowed(it.allowed);
  if (it.only.length > 0 && !it.only.includes(text)) return t.form.only(it.only.join(", "));
  if (it.format === "uuid" && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return t.form.uuid;
  return undefined;
}

/** Returns what is wrong with the entries of a list, or undefined. */
export function checkList(field: DescField, entries: readonly string[]): string | undefined {
  const it = ruleOf(field);
  if (entries.length === 0) return it?.required ? t.form.missing : undefined;
  if (it?.minItems !== undefined && entries.length < it.minItems) return t.form.tooFew(it.minItems);
  if (it?.maxItems !== undefined && entries.length > it.maxItems) return t.form.tooMany(it.maxItems);
  if (it?.unique && new Set(entries).size < entries.length) return t.form.unique;
  for (const entry of entries) {
    const wrong = field.fieldKind === "list" && field.listKind === "enum" ? undefined : checkString(it, entry);
    if (wrong) return `${entry}: ${wrong}`;
  }
  return undefined;
}

/** Turns the text of a field into the value that the stubs take. The text must have passed `checkText`. */
export function fieldValue(field: DescField, text: string): string | number | bigint | undefined {
  if (text === "") return undefined;
  if (field.fieldKind === "enum") return Number(text);
  if (field.fieldKind !== "scalar") return text;
  switch (field.scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return BigInt(text.trim().replace(/^\+/, ""));
    default:
      return Number(text);
  }
}

/** Returns true if the form of a text can be judged by the rule's pattern. It is not what the server reads by. */
export function fitsPattern(field: DescField, text: string): boolean {
  const pattern = ruleOf(field)?.pattern;
  if (!pattern || text === "") return true;
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return true;
  }
}
