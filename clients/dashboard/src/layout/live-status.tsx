import { useState } from "react";
import { session } from "../api/session";
import { type LiveState, live } from "../live/live";
import { useStore } from "../store";
import { t } from "../text/en";
import { Button } from "../ui/button";
import { classes } from "../ui/classes";
import { Buttons, Dialog } from "../ui/dialog";
import { useNow } from "../ui/time";
import css from "./layout.module.css";

/** The one place that says what the stream of this tab is doing. */
export function LiveStatus() {
  const state = useStore(live.state);
  const [open, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        className={classes(css.state, css[state.kind])}
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
        data-state={state.kind}
      >
        <span className={css.stateDot} aria-hidden="true" />
        <span className="visually-hidden">{t.live.label}: </span>
        {t.live[state.kind]}
      </button>
      <span role="status" className="visually-hidden">
        {t.live.label}: {t.live[state.kind]}
      </span>
      {open && (
        <Dialog title={`${t.live.label}: ${t.live[state.kind]}`} onClose={() => setOpen(false)}>
          <p>
            <Explanation state={state} />
          </p>
          <Buttons>
            {state.kind === "refused" ? (
              <Button kind="primary" onClick={() => session.refuse(state.error)}>
                {t.live.signIn}
              </Button>
            ) : state.kind === "paused" ? (
              <Button kind="primary" onClick={() => live.resume()}>
                {t.live.resume}
              </Button>
            ) : state.kind === "away" ? (
              <Button kind="primary" onClick={() => live.retryNow()}>
                {t.live.now}
              </Button>
            ) : (
              <Button onClick={() => live.pause()}>{t.live.pause}</Button>
            )}
          </Buttons>
        </Dialog>
      )}
    </>
  );
}

function Explanation({ state }: { state: LiveState }) {
  useNow(500);
  switch (state.kind) {
    case "paused":
      return t.live.explain[state.why];
    case "away":
      return t.live.explain.away(Math.ceil((state.retryAt - Date.now()) / 1000));
    default:
      return t.live.explain[state.kind];
  }
}
