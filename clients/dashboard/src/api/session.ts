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

/** Storage can be forbidden, as in some private windows. The key then lasts as long as the page. */
function storages(): Storage[] {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
}

function storedKey(): string | undefined {
  for (const storage of storages()) {
    const key = storage.getItem(NAME);
    if (key) return key;
  }
  return undefined;
}

/** The address of the API: where the page is, with the path prefix of a proxy. */
export const baseUrl = new URL(".", document.baseURI).href;

class SessionStore extends Store<Session> {
  /** The server's clock minus this machine's, in milliseconds. */
  clockOffset = 0;

  constructor() {
    const key = storedKey();
    super(key ? { state: "checking", key } : { state: "no-key" });
    if (key) void this.check(key);
  }

  /** Tries a key, and keeps it if the server accepts it. */
  async signIn(key: string, remember: boolean): Promise<void> {
    this.set({ state: "checking", key });
    if (await this.check(key)) {
      const [session, local] = storages();
      (remember ? session : local)?.removeItem(NAME);
      (remember ? local : session)?.setItem(NAME, key);
    }
  }

  /** Asks the server whom a key belongs to. Returns true if it accepts the key. */
  async check(key: string): Promise<boolean> {
    const transport = createTransport({ baseUrl, key: () => key });
    try {
      const sent = Date.now();
      const answer = await createClient(ClientService, transport).testConnection({});
      if (answer.serverTime) this.clockOffset = timestampMs(answer.serverTime) - (sent + Date.now()) / 2;
      const admin = answer.clientId === undefined;
      const writes = admin || (await allowsWriting(transport));
      const { name, clientId, servers } = answer;
      this.set({ state: "open", key, who: { admin, writes, name, clientId, servers } });
      return true;
    } catch (error) {
      if (isRefused(error)) this.refuse(error);
      else this.set({ state: "away", key, error });
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
    for (const storage of storages()) storage.removeItem(NAME);
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
