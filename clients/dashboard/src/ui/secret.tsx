import { type ReactNode, useState } from "react";
import { secrets as s } from "../text/en/secrets";
import { Banner } from "./banner";
import { Button } from "./button";
import { CopyButton } from "./copy";
import { Buttons, Dialog } from "./dialog";
import css from "./secret.module.css";

/** Shows a key or secret, which the server says only once. It does not close by accident. */
export function Secret(props: { title: string; secret: string; children?: ReactNode; onClose: () => void }) {
  const [asked, setAsked] = useState(false);
  return (
    <Dialog title={props.title} onClose={() => setAsked(true)}>
      <Banner tone={asked ? "bad" : "warn"}>
        <strong>{asked ? s.sure : s.once}</strong>
      </Banner>
      {props.children}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard. */}
      <code className={css.secret} tabIndex={0} data-secret>
        {props.secret}
      </code>
      <Buttons>
        <CopyButton text={props.secret} label={s.copy}>
          {s.copy}
        </CopyButton>
        <Button kind="primary" onClick={props.onClose}>
          {s.done}
        </Button>
      </Buttons>
    </Dialog>
  );
}
