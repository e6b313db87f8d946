import { t } from "../text/en";
import css from "./layout.module.css";

/** The mark and the name of the product. */
export function Logo() {
  return (
    <span className={css.logo}>
      <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="var(--accent-fill)" />
        <path d="M7 10h18M16 10v14" stroke="#fff" strokeWidth="3" strokeLinecap="round" />
        <circle cx="16" cy="24" r="3" fill="#8df0c0" />
      </svg>
      {t.product}
    </span>
  );
}
