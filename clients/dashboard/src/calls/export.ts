import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Call, CallSchema } from "@trunkline/client";
import { t } from "../text/en";

/** How calls are written to a file. */
export type Format = "csv" | "jsonl";

const time = (at: Timestamp | undefined) => (at ? new Date(timestampMs(at)).toISOString() : "");

const COLUMNS: [name: string, of: (call: Call) => string | number | bigint | undefined][] = [
  ["call_id", (it) => it.callId],
  ["queue_id", (it) => it.queueId],
  ["batch_id", (it) => it.batchId],
  ["contact_number", (it) => it.contactNumber],
  ["channel", (it) => it.channel],
  ["asterisk_server_code", (it) => it.asteriskServerCode],
  ["status", (it) => t.callStatus[it.status].toLowerCase()],
  ["outcome", (it) => (it.outcome === undefined ? "" : t.outcome[it.outcome].toLowerCase())],
  ["attempts", (it) => it.attempts],
  ["hangup_cause", (it) => it.hangupCause],
  ["hangup_cause_text", (it) => it.hangupCauseText],
  ["project", (it) => it.project],
  ["action_id", (it) => it.actionId],
  [
    "labels",
    (it) =>
      Object.entries(it.labels)
        .map(([key, value]) => `${key}:${value}`)
        .join(" "),
  ],
  ["created_at", (it) => time(it.createdAt)],
  ["started_at", (it) => time(it.startedAt)],
  ["answered_at", (it) => time(it.answeredAt)],
  ["ended_at", (it) => time(it.endedAt)],
  ["duration", (it) => it.duration],
  ["billable_seconds", (it) => it.billableSeconds],
  ["recording_path", (it) => it.recordingPath],
];

/** Writes a value of a CSV file. A text that a spreadsheet would take for a formula begins with `'`. */
export function cell(value: string | number | bigint | undefined): string {
  let text = value === undefined ? "" : `${value}`;
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function write(format: Format, call: Call): string {
  if (format === "jsonl") return `${JSON.stringify(toJson(CallSchema, call, { useProtoFieldName: true }))}\n`;
  return `${COLUMNS.map(([, of]) => cell(of(call))).join(",")}\r\n`;
}

/** Writes pages of calls to a file that the browser then saves. Returns the number of calls. */
export async function exportCalls(
  format: Format,
  name: string,
  pages: AsyncIterable<Call[]>,
  onProgress: (done: number) => void,
): Promise<number> {
  const parts: Blob[] = format === "csv" ? [new Blob([`${COLUMNS.map(([title]) => title).join(",")}\r\n`])] : [];
  let done = 0;
  for await (const calls of pages) {
    parts.push(new Blob([calls.map((call) => write(format, call)).join("")]));
    done += calls.length;
    onProgress(done);
  }
  save(new Blob(parts, { type: format === "csv" ? "text/csv" : "application/x-ndjson" }), `${name}.${format}`);
  return done;
}

/** Saves a file. */
export function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
