import { useSyncExternalStore } from "react";

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => matchMedia(query).matches,
  );
}

/** Returns true on a screen that is as narrow as a phone. */
export const useNarrow = (): boolean => useMedia("(max-width: 720px)");

/** Returns the height of a table's row in pixels, as `--row` says: larger for fingers than for a mouse. */
export const useRowHeight = (): number => (useMedia("(pointer: coarse)") ? 40 : 32);
