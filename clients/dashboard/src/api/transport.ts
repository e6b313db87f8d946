import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { QueryClient } from "@tanstack/react-query";
import {
  AdminService,
  CallService,
  ClientService,
  createTransport,
  isLost,
  isRefused,
  QueueService,
} from "@trunkline/client";
import { baseUrl, session } from "./session";

/** Ends the session if the server refuses the key. A key that merely lacks a scope stays. */
const watchForRefusals: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (ConnectError.from(error).code === Code.Unauthenticated) session.refuse(error);
    throw error;
  }
};

/** The transport of this tab, with the key of its session. */
export const transport = createTransport({
  baseUrl,
  key: () => session.get().key,
  interceptors: [watchForRefusals],
});

/** Clients for requests that are no queries: changes and streams. */
export const api = {
  admin: createClient(AdminService, transport),
  calls: createClient(CallService, transport),
  clients: createClient(ClientService, transport),
  queues: createClient(QueueService, transport),
};

/** The answers that pages share. Only what a lost connection made fail is asked again. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 1_000,
      gcTime: 60_000,
      refetchOnWindowFocus: true,
      retry: (failures, error) => failures < 2 && isLost(error) && !isRefused(error),
      retryDelay: (failures) => Math.min(5_000, 300 * 2 ** failures),
    },
  },
});

/** What was asked for one key must not be shown for the next. */
let lastKey = session.get().key;
session.subscribe(() => {
  const { key } = session.get();
  if (key === lastKey) return;
  lastKey = key;
  queryClient.clear();
});
