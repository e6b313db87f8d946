import { useEffect, useRef } from "react";
import type { Form, Typed } from "./form";

/** Keeps a form that nobody has changed up to date with what the server has, so that it saves no values of before. */
export function useFollow(form: Form, values: Record<string, Typed>): void {
  const text = JSON.stringify(values);
  const shown = useRef(text);
  const { changed, reset } = form;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text stands for the values, and `reset` is always the same.
  useEffect(() => {
    if (changed || shown.current === text) return;
    shown.current = text;
    reset(values);
  }, [changed, text]);
}
