import { timestampMs } from "@bufbuild/protobuf/wkt";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";
import type { AuditEntry, AuditHead } from "@trunkline/client";

const encoder = new TextEncoder();

function eight(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value);
  return bytes;
}

/** A field is a 1, its length and its bytes, or a 0 if it is absent. */
function encoded(value: string | bigint | undefined): Uint8Array[] {
  if (value === undefined) return [Uint8Array.of(0)];
  const bytes = typeof value === "bigint" ? eight(value) : encoder.encode(value);
  return [Uint8Array.of(1), eight(BigInt(bytes.length)), bytes];
}

/** Returns the hash of an entry's content and of the hash before it, in hexadecimal. */
export function hashOf(entry: AuditEntry): string {
  const at = BigInt(Math.round(entry.at ? timestampMs(entry.at) : 0));
  const { auditId, seq, actor, action, target, remoteAddress, requestId, detail, before, after } = entry;
  const fields = [auditId, seq, at, actor, action, target, remoteAddress, requestId, detail, before, after];
  return bytesToHex(
    sha256(
      concatBytes(
        encoder.encode("trunkline audit 1\n"),
        hexToBytes(entry.previousHash ?? "0".repeat(64)),
        ...fields.flatMap(encoded),
      ),
    ),
  );
}

/** What was found in entries that were read, newest first. */
export type Verdict = { broken: AuditEntry; why: "hash" | "link" | "head" } | { checked: number };

/** Makes the hash of each entry anew, and checks that each follows the one before it. */
export function verify(entries: readonly AuditEntry[], head: AuditHead | undefined): Verdict {
  const chain = entries.filter((it) => it.seq !== undefined && it.hash);
  const newest = chain[0];
  if (newest && head && newest.seq === head.seq && newest.hash !== head.hash) return { broken: newest, why: "head" };
  for (const [n, entry] of chain.entries()) {
    if (hashOf(entry) !== entry.hash) return { broken: entry, why: "hash" };
    const earlier = chain[n + 1];
    if (earlier && (earlier.hash !== entry.previousHash || (earlier.seq ?? 0n) + 1n !== entry.seq)) {
      return { broken: entry, why: "link" };
    }
  }
  return { checked: chain.length };
}
