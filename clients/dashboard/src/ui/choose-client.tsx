import { useId } from "react";
import { useClients } from "../api/hooks";
import { scope } from "../api/scope";
import fields from "../forms/field.module.css";
import { t } from "../text/en";
import { admin as a } from "../text/en/admin";
import controls from "./controls.module.css";
import { Card } from "./page";

/** Asks an administrator for which client something is done. */
export function ChooseClient({ help }: { help: string }) {
  const clients = useClients();
  const id = useId();
  return (
    <Card label={t.nav.client}>
      <div className={fields.field}>
        <label htmlFor={id}>{t.nav.client}</label>
        <select
          id={id}
          className={controls.select}
          value=""
          aria-describedby={`${id}-help`}
          onChange={(event) => event.target.value !== "" && scope.choose(BigInt(event.target.value))}
        >
          <option value="">{a.clients.choose}</option>
          {clients.map((it) => (
            <option key={`${it.clientId}`} value={`${it.clientId}`}>
              {it.name}
            </option>
          ))}
        </select>
        <p id={`${id}-help`} className={fields.help}>
          {help}
        </p>
      </div>
    </Card>
  );
}
