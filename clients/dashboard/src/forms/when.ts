import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Settings } from "../settings";

/** Reads what a field of type `datetime-local` holds, in the zone that the viewer wants. Undefined if it is empty. */
export function readTime(text: unknown, zone: Settings["zone"]): Timestamp | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  const milliseconds = new Date(zone === "utc" ? `${text}Z` : text).getTime();
  return Number.isNaN(milliseconds) ? undefined : timestampFromMs(milliseconds);
}

/** Writes a time as a field of type `datetime-local` takes it. */
export function writeTime(at: Timestamp | undefined, zone: Settings["zone"]): string {
  if (!at) return "";
  const date = new Date(timestampMs(at));
  const shifted = zone === "utc" ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
