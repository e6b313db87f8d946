const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const parts = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Writes a count, for example `12,345`. */
export const count = (value: number | bigint): string => whole.format(value);
/** Writes a large count short, for example `12.3K`. */
export const compact = (value: number | bigint): string => (value < 10_000 ? whole.format(value) : short.format(value));
/** Writes a part of 1 as a percentage. */
export const percent = (value: number): string => parts.format(value);
/** Writes a number with one digit after the point. */
export const tenths = (value: number): string => tenth.format(value);
