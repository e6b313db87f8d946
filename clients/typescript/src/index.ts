export * from "./api.js";
export { isLost, isRefused, reason, requestId, retryAfter, type Violation, violations } from "./errors.js";
export { createTransport, type TransportOptions } from "./transport.js";
export { type WatchOptions, type WatchState, watchCalls } from "./watch.js";
