import { Store } from "./store";

/** What the viewer has chosen for this browser. */
export interface Settings {
  theme: "auto" | "light" | "dark";
  zone: "local" | "utc";
}

const NAME = "trunkline.settings";
const DEFAULTS: Settings = { theme: "auto", zone: "local" };

function load(): Settings {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(NAME) ?? "{}") };
  } catch {
    return DEFAULTS;
  }
}

class SettingsStore extends Store<Settings> {
  /** Shows the page in the chosen theme. */
  apply(): void {
    const { theme } = this.get();
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  change(change: Partial<Settings>): void {
    this.update(change);
    this.apply();
    try {
      localStorage.setItem(NAME, JSON.stringify(this.get()));
    } catch {
      // The choice lasts until the page is closed.
    }
  }
}

/** The settings of this browser. */
export const settings = new SettingsStore(load());
