// What most stories need: a server, the dashboard before it, and a browser.
import { after, before } from "node:test";
import { api } from "./api.mjs";
import { launch, openTab } from "./browser.mjs";
import { serveDashboard, startTrunkline } from "./server.mjs";

/** Prepares all of it before the first test of a file, and ends it after the last. */
export function stage(options = {}) {
  const it = {
    open: (path = "/", key = it.server.adminKey, more) => openTab(it.browser, `${it.site.url}#${path}`, key, more),
    /** Opens a page with the key of the client. */
    openAsClient: (path = "/", more) => it.open(path, it.server.clientKey, more),
  };
  before(async () => {
    // A server that brings the dashboard serves it over TLS by itself. Otherwise what is before it does.
    const direct = options.tls && process.env.EMBEDDED;
    if (direct) process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    it.server = await startTrunkline({ ...options, tls: direct ? options.tls : undefined });
    it.site = direct ? { url: it.server.url, end() {} } : await serveDashboard(it.server, options);
    it.browser = await launch();
    it.client = api(it.server, it.server.clientKey);
    it.admin = api(it.server, it.server.adminKey);
  });
  after(async () => {
    await it.browser?.close();
    it.site?.end();
    await it.server?.end();
  });
  return it;
}
