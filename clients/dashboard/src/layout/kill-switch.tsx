import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type KillSwitch as State } from "@trunkline/client";
import { OctagonX, ShieldCheck } from "lucide-react";
import { useState } from "react";
import { useWho } from "../api/hooks";
import { api } from "../api/transport";
import { t } from "../text/en";
import { ErrorBanner } from "../ui/banner";
import { Button } from "../ui/button";
import { classes } from "../ui/classes";
import controls from "../ui/controls.module.css";
import { Buttons, Dialog } from "../ui/dialog";
import { Time } from "../ui/time";
import css from "./layout.module.css";

/** Whether the kill switch is engaged, for administrators, and the way to change that. */
export function KillSwitch() {
  const { admin } = useWho();
  const [open, setOpen] = useState(false);
  const { data, refetch } = useQuery(AdminService.method.getKillSwitch, {}, { enabled: admin, refetchInterval: 5_000 });
  const state = data?.killSwitch;
  if (!admin || !state) return null;
  const Icon = state.engaged ? OctagonX : ShieldCheck;
  return (
    <>
      <button
        type="button"
        className={classes(css.state, css.switch, state.engaged && css.engaged)}
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
        title={state.reason}
        aria-label={state.engaged ? t.killSwitch.engaged : t.killSwitch.released}
      >
        <Icon size={14} aria-hidden />
        {state.engaged ? t.killSwitch.engaged : t.killSwitch.released}
      </button>
      <span role="status" className="visually-hidden">
        {state.engaged ? t.killSwitch.engaged : t.killSwitch.released}
      </span>
      {open && (
        <Ask
          state={state}
          onClose={(changed) => {
            setOpen(false);
            if (changed) void refetch();
          }}
        />
      )}
    </>
  );
}

function Ask({ state, onClose }: { state: State; onClose: (changed: boolean) => void }) {
  const [reason, setReason] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const engage = !state.engaged;
  const set = async () => {
    setBusy(true);
    try {
      await api.admin.setKillSwitch({ engaged: engage, reason: reason.trim() || undefined });
      onClose(true);
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={engage ? t.killSwitch.engageTitle : t.killSwitch.releaseTitle} onClose={() => onClose(false)}>
      <p>{engage ? t.killSwitch.engageText : t.killSwitch.releaseText}</p>
      {state.engaged && (
        <p>
          {t.killSwitch.since} <Time at={state.changedAt} relative />
          {state.reason && `: ${state.reason}`}
        </p>
      )}
      <label className={css.reason}>
        <span>{t.killSwitch.reason}</span>
        <input
          className={controls.input}
          value={reason}
          maxLength={255}
          onChange={(event) => setReason(event.target.value)}
        />
        <small>{t.killSwitch.reasonHelp}</small>
      </label>
      <ErrorBanner error={error} />
      <Buttons>
        <Button onClick={() => onClose(false)}>{t.actions.cancel}</Button>
        <Button kind={engage ? "danger" : "primary"} disabled={busy} onClick={set}>
          {engage ? t.killSwitch.engage : t.killSwitch.release}
        </Button>
      </Buttons>
    </Dialog>
  );
}
