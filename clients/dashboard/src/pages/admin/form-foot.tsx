import { t } from "../../text/en";
import { Button } from "../../ui/button";
import css from "./admin.module.css";

/** The buttons at the end of a form that is part of a page. They are there once something differs. */
export function FormFoot(props: { changed: boolean; busy: boolean; onReset: () => void }) {
  return (
    <div className={css.foot}>
      <Button kind="primary" type="submit" disabled={!props.changed || props.busy}>
        {props.busy ? t.actions.working : t.actions.save}
      </Button>
      {props.changed && <Button onClick={props.onReset}>{t.actions.undo}</Button>}
    </div>
  );
}
