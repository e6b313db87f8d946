import { calls } from "./en/calls";
import { common } from "./en/common";

/** Every text that people read. A part of the dashboard has a file of its own in `en/`. */
export const t = { ...common, ...calls };
