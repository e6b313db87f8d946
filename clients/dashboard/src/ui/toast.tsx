import { Store, useStore } from "../store";
import css from "./controls.module.css";

interface Toast {
  id: number;
  text: string;
}

const toasts = new Store<Toast[]>([]);
let last = 0;

/** Says for a few seconds that something was done. Screen readers read it out. */
export function say(text: string): void {
  const id = ++last;
  toasts.set([...toasts.get().slice(-2), { id, text }]);
  setTimeout(() => toasts.set(toasts.get().filter((it) => it.id !== id)), 3500);
}

/** Where `say` is shown. */
export function Toasts() {
  return (
    <div className={css.toasts} role="status" aria-live="polite">
      {useStore(toasts).map(({ id, text }) => (
        <div key={id} className={css.toast}>
          {text}
        </div>
      ))}
    </div>
  );
}
