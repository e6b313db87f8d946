import { useSyncExternalStore } from "react";
import { type BaseLocationHook, useLocation, useSearchParams } from "wouter";

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

/** Returns a filter of the page from the address, and a function that changes it. An empty text removes it. */
export function useFilter(name: string): [value: string, set: (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = (value: string) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (value === "") after.delete(name);
        else after.set(name, value);
        return after;
      },
      { replace: true },
    );
  return [params.get(name) ?? "", set];
}

/** Returns all filters of the page, and a function that changes some of them. */
export function useFilters(): [
  filters: Readonly<Record<string, string>>,
  set: (change: Record<string, string | undefined>) => void,
] {
  const [params] = useSearchParams();
  const [path] = useLocation();
  const set = (change: Record<string, string | undefined>) => {
    const after = new URLSearchParams(params);
    for (const [name, value] of Object.entries(change)) {
      if (value === undefined || value === "") after.delete(name);
      else after.set(name, value);
    }
    const search = after.toString();
    navigate(search ? `${path}?${search}` : path, { replace: true });
  };
  return [Object.fromEntries(params), set];
}
