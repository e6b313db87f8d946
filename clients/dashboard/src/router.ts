import { useMemo, useSyncExternalStore } from "react";
import type { BaseLocationHook } from "wouter";

/*
 * Pages are in the part of the address after `#`, filters included: `#/queues/5?status=failed`. So every page can be
 * linked and reloaded below any path prefix, and the server need not know them.
 */

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  window.addEventListener("popstate", listener);
  return () => {
    window.removeEventListener("hashchange", listener);
    window.removeEventListener("popstate", listener);
  };
}

function parts(): [path: string, search: string] {
  const hash = location.hash.replace(/^#?\/?/, "/");
  const at = hash.indexOf("?");
  return at < 0 ? [hash, ""] : [hash.slice(0, at), hash.slice(at + 1)];
}

const getPath = () => parts()[0];
const getSearch = () => parts()[1];

/** Goes to a page. */
export function navigate(to: string, options?: { replace?: boolean }): void {
  const url = new URL(location.href);
  url.hash = to;
  if (url.href === location.href) return;
  history[options?.replace ? "replaceState" : "pushState"](null, "", url);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The hook of wouter's router for these addresses. */
export const useHashPath: BaseLocationHook = Object.assign(
  (): [string, typeof navigate] => [useSyncExternalStore(subscribe, getPath), navigate],
  { hrefs: (href: string) => `#${href}`, searchHook: () => useSyncExternalStore(subscribe, getSearch) },
);

/** Returns all filters of the page, which are in its address, and a function that changes some of them. Empty ones are left out. */
export function useFilters(): [
  filters: Readonly<Record<string, string>>,
  set: (change: Record<string, string | undefined>) => void,
] {
  // Not wouter's own hook, which decodes a `%` twice.
  const search = useSyncExternalStore(subscribe, getSearch);
  const filters = useMemo(() => Object.fromEntries(new URLSearchParams(search)), [search]);
  const set = (change: Record<string, string | undefined>) => {
    const [path, now] = parts();
    const after = new URLSearchParams(now);
    for (const [name, value] of Object.entries(change)) {
      if (value === undefined || value === "") after.delete(name);
      else after.set(name, value);
    }
    const next = after.toString();
    navigate(next ? `${path}?${next}` : path, { replace: true });
  };
  return [filters, set];
}

/** Returns one filter of the page, and a function that changes it. An empty text removes it. */
export function useFilter(name: string): [value: string, set: (value: string) => void] {
  const [filters, set] = useFilters();
  return [filters[name] ?? "", (value) => set({ [name]: value })];
}
