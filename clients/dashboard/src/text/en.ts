import { calls } from "./en/calls";
import { common } from "./en/common";
import { live } from "./en/live";
import { overview } from "./en/overview";
import { queues } from "./en/queues";

/** Every text that people read. A part of the dashboard has a file of its own in `en/`. */
export const t = { ...common, ...calls, ...live, ...overview, ...queues };
