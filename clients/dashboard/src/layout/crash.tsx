import { Component, type ReactNode } from "react";
import { t } from "../text/en";
import { Button } from "../ui/button";
import { Empty } from "../ui/empty";

/** Shows what is left of a page that failed, so that the rest of the dashboard still works. */
export class Crash extends Component<{ children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <Empty title={t.errors.crashed} actions={<Button onClick={() => location.reload()}>{t.errors.reload}</Button>}>
        {t.errors.crashedText} {String(this.state.error)}
      </Empty>
    );
  }
}
