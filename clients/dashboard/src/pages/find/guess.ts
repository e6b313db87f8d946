import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ListCallsRequestSchema } from "@trunkline/client";
import { readNumber } from "../queue/calls";

/** One way to read what someone looks for. */
export interface Guess {
  kind: "number" | "id" | "label" | "action" | "channel" | "project";
  request: Omit<MessageInitShape<typeof ListCallsRequestSchema>, "$typeName">;
}

/** A whole call id. */
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PREFIX = /^(?=.{4,36}$)([0-9a-f]-?){1,32}$/i;
const LABEL = /^[a-z0-9][a-z0-9._-]{0,62}:.{0,255}$/;

/** Returns all ways to read a text, the likeliest first. Each is one search, which an index answers. */
export function guesses(text: string): Guess[] {
  if (text === "" || UUID.test(text)) return [];
  const found: Guess[] = [];
  const number = readNumber(text);
  if (number && `${number.contactNumber}`.length >= 3) found.push({ kind: "number", request: number });
  if (PREFIX.test(text)) found.push({ kind: "id", request: { callIdPrefix: text.slice(0, 36) } });
  if (LABEL.test(text)) found.push({ kind: "label", request: { label: text } });
  found.push({ kind: "action", request: { actionId: text } });
  found.push({ kind: "channel", request: { channelId: text } });
  if (text.length <= 255) found.push({ kind: "project", request: { project: text } });
  return found;
}
