/** Texts about keys and secrets that are shown once. */
export const secrets = {
  once: "Copy it now. It is stored only as a digest or encrypted, and is never shown again.",
  sure: "This was the only time that it is shown. Close it only after you have stored it.",
  copy: "Copy",
  done: "I have stored it",
};
