import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

/** What a transport needs to reach a server. */
export interface TransportOptions {
  /** The address of the server, with the path prefix of a proxy if there is one, for example `https://calls.example/`. */
  baseUrl: string;
  /** Returns the API key to send, or undefined to send none. It is called for each request. */
  key: () => string | undefined;
  /** Further interceptors, which see a request before the key is added. */
  interceptors?: Interceptor[];
}

/** Returns a gRPC-web transport that sends the API key with every request. It works in browsers and in Node. */
export function createTransport(options: TransportOptions): Transport {
  const sendKey: Interceptor = (next) => (request) => {
    const key = options.key();
    if (key !== undefined) request.header.set("x-api-key", key);
    return next(request);
  };
  return createGrpcWebTransport({
    baseUrl: options.baseUrl.replace(/\/+$/, ""),
    interceptors: [...(options.interceptors ?? []), sendKey],
  });
}
