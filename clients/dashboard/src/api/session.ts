import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { CallService, ClientService, createTransport, isRefused } from "@trunkline/client";
import { Store } from "../store";

/** Whom a key belongs to, and what it allows. */
export interface Who {
  /** True for an administrator's key. */
  admin: boolean;
  /** True if the key allows changes. */
  writes: boolean;
  /** The name of the client, or `admin`. */
  name: string;
  /** The id of the client. Absent for an administrator. */
  clientId?: bigint;
  /** The servers that the client may dial through. Empty for an administrator, who may see all. */
  servers: string[];
}

/** Whether there is a key, and whether the server accepts it. */
export interface Session {
  state: "no-key" | "checking" | "open" | "away";
  key?: string;
  who?: Who;
  /** Why the last key was refused, or why the server could not be asked. */
  error?: unknown;
}

const NAME = "trunkline.key";
/** What was last known of the key, so that a tab that is loaded again need not wait for the answer. */
const WHO = "trunkline.who";

/** Storage can be forbidden, as in some private windows. The key then lasts as long as the page. */
function storages(): Storage[] {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
}

function stored(): { key: string; who?: Who } | undefined {
  for (const storage of storages()) {
    const key = storage.getItem(NAME);
    if (!key) continue;
    try {
      const { clientId, ...known } = JSON.parse(storage.getItem(WHO) ?? "");
      return { key, who: known.key === key ? { ...known, clientId: clientId && BigInt(clientId) } : undefined };
    } catch {
      return { key };
    }
  }
  return undefined;
}

/** Writes what is known of a key to where the key is. */
function keep(key: string, who: Who): void {
  for (const storage of storages()) {
    if (storage.getItem(NAME) !== key) continue;
    storage.setItem(WHO, JSON.stringify({ ...who, key, clientId: who.clientId && `${who.clientId}` }));
  }
}

/** The address of the API: where the page is, with the path prefix of a proxy. */
export const baseUrl = new URL(".", document.baseURI).href;

class SessionStore extends Store<Session> {
  /** The server's clock minus this machine's, in milliseconds. */
  clockOffset = 0;

  constructor() {
    const known = stored();
    super(known ? { state: known.who ? "open" : "checking", ...known } : { state: "no-key" });
    if (known) void this.check(known.key);
  }

  /** Tries a key, and keeps it if the server accepts it. */
  async signIn(key: string, remember: boolean): Promise<void> {
    this.set({ state: "checking", key });
    if (await this.check(key)) {
      const [session, local] = storages();
      (remember ? session : local)?.removeItem(NAME);
      (remember ? local : session)?.setItem(NAME, key);
      const { who } = this.get();
      if (who) keep(key, who);
    }
  }

  /** Asks the server whom a key belongs to. Returns true if it accepts the key. */
  async check(key: string): Promise<boolean> {
    const transport = createTransport({ baseUrl, key: () => key });
    try {
      const sent = Date.now();
      const [answer, mayWrite] = await Promise.all([
        createClient(ClientService, transport).testConnection({}),
        allowsWriting(transport),
      ]);
      if (answer.serverTime) this.clockOffset = timestampMs(answer.serverTime) - (sent + Date.now()) / 2;
      const admin = answer.clientId === undefined;
      const { name, clientId, servers } = answer;
      const who = { admin, writes: admin || mayWrite, name, clientId, servers };
      this.set({ state: "open", key, who });
      keep(key, who);
      return true;
    } catch (error) {
      if (isRefused(error)) this.refuse(error);
      // A tab that is open says so at its stream.
      else if (this.get().state !== "open") this.set({ state: "away", key, error });
      return false;
    }
  }

  /** Forgets the key, because the server refuses it. */
  refuse(error: unknown): void {
    this.#forget();
    this.set({ state: "no-key", error });
  }

  signOut(): void {
    this.#forget();
    this.set({ state: "no-key" });
  }

  #forget(): void {
    for (const storage of storages()) {
      storage.removeItem(NAME);
      storage.removeItem(WHO);
    }
  }
}

/** Asks for a change that changes nothing, because it names no call: a key that may only read is refused before that. */
async function allowsWriting(transport: ReturnType<typeof createTransport>): Promise<boolean> {
  try {
    await createClient(CallService, transport).cancelCall({ callId: "" });
    return true;
  } catch (error) {
    const { code } = ConnectError.from(error);
    if (code === Code.PermissionDenied) return false;
    if (code === Code.InvalidArgument || code === Code.NotFound) return true;
    throw error;
  }
}

/** The session of this tab. */
export const session = new SessionStore();

/** Returns the server's time in milliseconds since the epoch. */
export const serverNow = (): number => Date.now() + session.clockOffset;
