import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type OriginateAction, OriginateActionSchema, type QueueItem, QueueItemSchema } from "@trunkline/client";
import { imports as i } from "../../text/en/import";
import type { CsvFile } from "./csv";

/*
 * The fields that a column can set are those of `trunkline import`, with the same meaning, so that the command and this
 * page accept the same lines.
 */

/** Sets a field from the text of a cell, or returns what is wrong with it. */
type Put = (item: QueueItem, action: OriginateAction, text: string) => string | undefined;

/** Returns a whole number of 32 bits, or undefined. */
function whole(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return Math.abs(value) <= 2_147_483_647 ? value : undefined;
}

const ofAction =
  (
    name:
      | "channel"
      | "application"
      | "data"
      | "context"
      | "exten"
      | "priority"
      | "account"
      | "actionId"
      | "channelId"
      | "variable"
      | "codecs",
  ): Put =>
  (_, action, text) => {
    action[name] = text;
    return undefined;
  };
const ofItem =
  (name: "callerId" | "project" | "recordingPath" | "mixMonitorCommand" | "timeZone"): Put =>
  (item, _, text) => {
    item[name] = text;
    return undefined;
  };

/** Reads a time as the server does: RFC 3339, and in UTC if it has no offset. */
function readTime(text: string): number | undefined {
  const found = text.match(/^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d(?:[.,]\d{1,9})?)?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?$/);
  if (!found) return undefined;
  const [, day, minute, seconds = ":00", offset = "Z"] = found;
  const zone = /^[Zz]$/.test(offset) ? "Z" : offset.replace(/^([+-]\d\d):?(\d\d)?$/, (_, h, m) => `${h}:${m ?? "00"}`);
  const at = Date.parse(`${day}T${minute}${seconds.replace(",", ".").slice(0, 7)}${zone}`);
  // A day such as the 31st of February becomes another one, which is no time.
  if (Number.isNaN(at) || new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day) return undefined;
  return at;
}

const PUT: Record<string, Put> = {
  asterisk_server_code: (item, _, text) => {
    item.asteriskServerCode = text;
    return undefined;
  },
  channel: ofAction("channel"),
  application: ofAction("application"),
  data: ofAction("data"),
  context: ofAction("context"),
  exten: ofAction("exten"),
  priority: ofAction("priority"),
  account: ofAction("account"),
  action_id: ofAction("actionId"),
  channel_id: ofAction("channelId"),
  variable: ofAction("variable"),
  codecs: ofAction("codecs"),
  timeout: (_, action, text) => {
    const value = whole(text);
    if (value === undefined) return i.wrong.number(text);
    action.timeout = value;
    return undefined;
  },
  caller_id: ofItem("callerId"),
  project: ofItem("project"),
  recording_path: ofItem("recordingPath"),
  mix_monitor_command: ofItem("mixMonitorCommand"),
  time_zone: ofItem("timeZone"),
  contact_number: (item, _, text) => {
    if (/^[1-9]\d{0,17}$/.test(text)) item.contactNumber = BigInt(text);
    else item.contactNumberText = text;
    return undefined;
  },
  retry: (item, _, text) => {
    const value = whole(text);
    if (value === undefined) return i.wrong.number(text);
    item.retry = value;
    return undefined;
  },
  create_recording: (item, _, text) => {
    const lower = text.toLowerCase();
    if (["true", "yes", "1"].includes(lower)) item.createRecording = true;
    else if (!["false", "no", "0"].includes(lower)) return i.wrong.bool(text);
    return undefined;
  },
  deadline: (item, _, text) => {
    const at = readTime(text);
    if (at === undefined) return i.wrong.time(text);
    item.deadline = timestampFromMs(at);
    return undefined;
  },
};

/** The names of the fields that a column can set. */
export const FIELDS = Object.keys(PUT);

/** The names of the fields by their paths in the server's errors. */
const PATHS: Record<string, string> = {
  contact_number_text: "contact_number",
  ...Object.fromEntries(
    OriginateActionSchema.fields.filter((it) => it.name in PUT).map((it) => [`action.${it.jsonName}`, it.name]),
  ),
};

/** Returns the name of the column for a path in an error of the server, such as `action.Channel`. */
export function fieldName(path: string): string {
  const variable = path.match(/^action\.variables\.(.+)$/);
  if (variable) return `var.${variable[1]}`;
  const label = path.match(/^labels\.(.+)$/);
  if (label) return `label.${label[1]}`;
  return PATHS[path] ?? path;
}

/** What columns and texts become. A target is a field, `var.NAME` or `label.KEY`. */
export interface Mapping {
  /** The target of each column, by its place. An empty text ignores the column. */
  columns: string[];
  /** The text that a target has in every call. `{COLUMN}` stands for that column. */
  texts: { target: string; text: string }[];
  /** The server of lines that name none. */
  server: string;
}

const isTarget = (name: string) => name in PUT || /^(var|label)\../.test(name);

/** Guesses what the columns of a file mean, by their names. */
export function guess(heads: readonly string[]): Mapping {
  const columns = heads.map((head) => (isTarget(head) ? head : ""));
  if (!columns.includes("contact_number")) {
    const at = heads.findIndex(
      (it, n) => columns[n] === "" && /^(phone|mobile|tel|telephone|number|msisdn)\b/i.test(it),
    );
    if (at >= 0) columns[at] = "contact_number";
  }
  const texts = ["channel", "application", "data"].map((target) => ({ target, text: "" }));
  return { columns, texts: texts.filter((it) => !columns.includes(it.target)), server: "" };
}

/** Returns how a target is called. */
export function targetLabel(target: string): string {
  return i.fields[target] ?? target;
}

type Part = { fixed: string } | { column: number; name: string };

function template(text: string, heads: readonly string[]): Part[] | string {
  const parts: Part[] = [];
  let rest = text;
  for (;;) {
    const open = rest.indexOf("{");
    if (open < 0) return [...parts, { fixed: rest }];
    const close = rest.indexOf("}", open);
    if (close < 0) return i.mapping.brace(text);
    const name = rest.slice(open + 1, close);
    const column = heads.indexOf(name);
    if (column < 0) return i.mapping.noColumn(name);
    parts.push({ fixed: rest.slice(0, open) }, { column, name });
    rest = rest.slice(close + 1);
  }
}

/** Builds the call of a line. Returns the field and what is wrong with it if that is impossible. */
export type Build = (cells: readonly string[]) => { item: QueueItem } | { field: string; why: string };

/** Prepares to build calls, or returns what is wrong with the mapping. */
export function builder(file: CsvFile, mapping: Mapping): { build: Build } | { wrong: string } {
  const sources: { target: string; parts: Part[]; single?: number }[] = [];
  for (const [column, target] of mapping.columns.entries()) {
    if (target === "") continue;
    if (!isTarget(target)) return { wrong: i.mapping.name };
    sources.push({ target, parts: [], single: column });
  }
  for (const { target, text } of mapping.texts) {
    if (text.trim() === "") continue;
    if (!isTarget(target)) return { wrong: i.mapping.name };
    const parts = template(text, file.heads);
    if (typeof parts === "string") return { wrong: parts };
    sources.push({ target, parts });
  }
  const seen = new Set<string>();
  for (const { target } of sources) {
    if (seen.has(target)) return { wrong: i.mapping.twice(targetLabel(target)) };
    seen.add(target);
  }
  if (!seen.has("channel")) return { wrong: i.mapping.channel };
  if (!seen.has("asterisk_server_code") && mapping.server === "") return { wrong: i.mapping.server };
  return {
    build: (cells) => {
      const item = create(QueueItemSchema, { asteriskServerCode: mapping.server });
      const action = create(OriginateActionSchema, { action: "Originate" });
      item.action = action;
      for (const { target, parts, single } of sources) {
        let text = "";
        if (single !== undefined) text = cells[single] ?? "";
        for (const part of parts) {
          if ("fixed" in part) text += part.fixed;
          else if (cells[part.column]) text += cells[part.column];
          else return { field: target, why: i.wrong.empty(part.name) };
        }
        // An empty cell sets nothing.
        if (text === "") continue;
        const put = PUT[target];
        if (put) {
          const why = put(item, action, text);
          if (why) return { field: target, why };
        } else if (target.startsWith("var.")) action.variables[target.slice(4)] = text;
        else item.labels[target.slice(6)] = text;
      }
      return { item };
    },
  };
}
