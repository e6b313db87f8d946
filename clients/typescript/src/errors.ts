import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";

/** A field of a request that the server refused, and why. */
export interface Violation {
  /** The path of the field in JSON names, for example `data[0].action.Channel`. */
  field: string;
  /** What is wrong with the field, for people. */
  description: string;
}

/** Returns the fields that the server refused. Empty if the error is not about fields. */
export function violations(error: unknown): Violation[] {
  const details = ConnectError.from(error).findDetails(BadRequestSchema);
  return details.flatMap((detail) => detail.fieldViolations).map(({ field, description }) => ({ field, description }));
}

/** Returns the milliseconds to wait before the request is sent again, or undefined if the server gave no time. */
export function retryAfter(error: unknown): number | undefined {
  const delay = ConnectError.from(error).findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}

/** Returns what tells one failure from another with the same code, for example `QUEUE_COMPLETED`. */
export function reason(error: unknown): string | undefined {
  return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason || undefined;
}

/** Returns the id by which an operator finds a failure of the server in its log. */
export function requestId(error: unknown): string | undefined {
  return ConnectError.from(error).findDetails(RequestInfoSchema)[0]?.requestId || undefined;
}

/** Returns true if the key was refused: it is wrong, revoked or expired, or its client is disabled. */
export function isRefused(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return code === Code.Unauthenticated || code === Code.PermissionDenied;
}

/** Returns true if the server could not be reached, or the connection was lost, so that the same request may succeed later. */
export function isLost(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  // A fetch that fails is reported as unknown, and a body that breaks off as internal or as missing trailers.
  return [
    Code.Unavailable,
    Code.Unknown,
    Code.Internal,
    Code.Aborted,
    Code.Canceled,
    Code.DeadlineExceeded,
    Code.ResourceExhausted,
    Code.DataLoss,
  ].includes(code);
}
