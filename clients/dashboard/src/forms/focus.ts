/** Moves to the first field that is wrong, once it is drawn. */
export function focusWrong(): void {
  setTimeout(() => {
    const within = document.querySelector("dialog[open]") ?? document;
    within.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, 30);
}
