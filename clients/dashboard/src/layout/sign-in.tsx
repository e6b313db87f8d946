import { ConnectError } from "@connectrpc/connect";
import { type FormEvent, useState } from "react";
import { session } from "../api/session";
import { useStore } from "../store";
import { t } from "../text/en";
import { Banner } from "../ui/banner";
import { Button } from "../ui/button";
import controls from "../ui/controls.module.css";
import { Logo } from "./logo";
import css from "./sign-in.module.css";

/** The page that asks for a key, or says that the server cannot be reached. */
export function SignIn() {
  const { state, key, error } = useStore(session);
  const [typed, setTyped] = useState("");
  const [remember, setRemember] = useState(false);
  const [shown, setShown] = useState(false);
  const [empty, setEmpty] = useState(false);
  const checking = state === "checking";

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const entered = typed.trim();
    setEmpty(entered === "");
    if (entered !== "") void session.signIn(entered, remember);
  };

  return (
    <main className={css.page}>
      <form className={css.card} onSubmit={submit} aria-busy={checking}>
        <Logo />
        <h1>{t.session.title}</h1>
        <p className={css.text}>{t.session.text}</p>
        {state === "away" && key ? (
          <>
            <Banner tone="bad">
              <strong>{t.session.away}</strong> <span>{t.session.awayHelp}</span>
            </Banner>
            <div className={css.buttons}>
              <Button kind="primary" onClick={() => session.check(key)}>
                {t.session.again}
              </Button>
              <Button onClick={() => session.signOut()}>{t.session.otherKey}</Button>
            </div>
          </>
        ) : (
          <>
            {error !== undefined && !checking && (
              <Banner tone="bad">
                <strong>{t.session.refused}</strong> <span>{ConnectError.from(error).rawMessage}</span>
              </Banner>
            )}
            <div className={css.field}>
              <label htmlFor="key">{t.session.key}</label>
              <div className={css.key}>
                <input
                  id="key"
                  className={controls.input}
                  type={shown ? "text" : "password"}
                  autoComplete="off"
                  spellCheck={false}
                  // biome-ignore lint/a11y/noAutofocus: it is the only field of the page.
                  autoFocus
                  value={typed}
                  aria-invalid={empty}
                  aria-describedby="key-help"
                  onChange={(event) => setTyped(event.target.value)}
                />
                <Button onClick={() => setShown(!shown)} aria-pressed={shown}>
                  {shown ? t.session.hide : t.session.show}
                </Button>
              </div>
              <p id="key-help" className={css.help}>
                {empty ? t.session.empty : t.session.keyHelp}
              </p>
            </div>
            <label className={css.remember}>
              <input
                type="checkbox"
                className={controls.check}
                checked={remember}
                onChange={(event) => setRemember(event.target.checked)}
              />
              <span>
                {t.session.remember}
                <small>{t.session.rememberHelp}</small>
              </span>
            </label>
            <Button kind="primary" type="submit" disabled={checking}>
              {checking ? t.session.checking : t.session.submit}
            </Button>
          </>
        )}
      </form>
    </main>
  );
}
