/**
 * Returns the form of a number in which the lists hold it, or undefined if it is none: its digits after `+` or after `00`
 * or `011`, else its digits.
 */
export function canonical(text: string): string | undefined {
  const digits = text.replace(/[\s.()/-]/g, "");
  if (!/^\+?\d+$/.test(digits)) return undefined;
  const found = digits.startsWith("+") ? digits.slice(1) : digits.replace(/^(?:00|011)(?=[1-9])/, "");
  return found.length >= 3 && found.length <= 15 ? found : undefined;
}
