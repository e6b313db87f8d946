import { Store } from "../store";

const NAME = "trunkline.client";

function load(): bigint | undefined {
  try {
    const text = sessionStorage.getItem(NAME);
    return text ? BigInt(text) : undefined;
  } catch {
    return undefined;
  }
}

class ScopeStore extends Store<bigint | undefined> {
  choose(clientId: bigint | undefined): void {
    this.set(clientId);
    try {
      if (clientId === undefined) sessionStorage.removeItem(NAME);
      else sessionStorage.setItem(NAME, `${clientId}`);
    } catch {
      // The choice lasts until the page is closed.
    }
  }
}

/** The client whose calls an administrator looks at. Undefined for all clients, and for the key of a client. */
export const scope = new ScopeStore(load());
