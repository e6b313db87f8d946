import { LogOut, Menu, Search } from "lucide-react";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { useClients, useWho } from "../api/hooks";
import { scope } from "../api/scope";
import { session } from "../api/session";
import { PAGES } from "../pages";
import { navigate } from "../router";
import { type Settings, settings } from "../settings";
import { useStore } from "../store";
import { t } from "../text/en";
import { Button } from "../ui/button";
import { classes } from "../ui/classes";
import controls from "../ui/controls.module.css";
import { KillSwitch } from "./kill-switch";
import css from "./layout.module.css";
import { LiveStatus } from "./live-status";
import { Logo } from "./logo";

/** What surrounds every page: the navigation, the search, and what the stream and the kill switch are doing. */
export function Layout({ children }: { children: ReactNode }) {
  const [path] = useLocation();
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const visited = useRef(path);
  useEffect(() => {
    if (visited.current === path) return;
    visited.current = path;
    setOpen(false);
    main.current?.scrollTo(0, 0);
  }, [path]);
  return (
    <div className={css.layout} data-open={open}>
      <button type="button" className={css.skip} onClick={() => main.current?.focus()}>
        {t.nav.skip}
      </button>
      <header className={css.header}>
        <Button
          kind="ghost"
          icon
          className={css.menu}
          aria-label={open ? t.nav.close : t.nav.open}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Menu size={18} aria-hidden />
        </Button>
        <Link to="/" className={css.home}>
          <Logo />
        </Link>
        <FindBox />
        <div className={css.states}>
          <KillSwitch />
          <LiveStatus />
        </div>
      </header>
      <nav className={css.nav} aria-label={t.nav.label}>
        <Navigation />
      </nav>
      {open && <button type="button" className={css.shade} aria-label={t.nav.close} onClick={() => setOpen(false)} />}
      <main id="main" ref={main} className={css.main} tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function FindBox() {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.closest("input, textarea, select, [contenteditable], dialog")) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const query = text.trim();
    if (query === "") return;
    navigate(`/find?${new URLSearchParams({ q: query })}`);
    setText("");
    input.current?.blur();
  };
  return (
    <search className={css.find}>
      <form onSubmit={submit}>
        <Search size={14} aria-hidden />
        <input
          ref={input}
          className={controls.input}
          type="search"
          aria-label={t.find.label}
          placeholder={t.find.placeholder}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <kbd title={t.find.hint}>/</kbd>
      </form>
    </search>
  );
}

function Navigation() {
  const who = useWho();
  const [path] = useLocation();
  const shown = PAGES.filter((page) => page.icon && (!page.admin || who.admin) && (!page.writes || who.writes));
  const groups = [
    { title: t.nav.dial, pages: shown.filter((page) => page.group === "dial") },
    { title: t.nav.admin, pages: shown.filter((page) => page.group === "admin") },
  ].filter((group) => group.pages.length > 0);
  return (
    <>
      <ClientChoice />
      {groups.map((group) => (
        <div key={group.title} className={css.group}>
          <h2>{group.title}</h2>
          <ul>
            {group.pages.map(({ path: to, title, icon: Icon }) => {
              const here = to === "/" ? path === "/" : path === to || path.startsWith(`${to}/`);
              return (
                <li key={to}>
                  <Link
                    to={to}
                    className={classes(css.entry, here && css.here)}
                    aria-current={here ? "page" : undefined}
                  >
                    {Icon && <Icon size={15} aria-hidden />}
                    {title}
                  </Link>
                </li>
              );
            })}
          </ul>
        </div>
      ))}
      <Account />
    </>
  );
}

/** For administrators: whose calls are looked at. */
function ClientChoice() {
  const { admin } = useWho();
  const clients = useClients();
  const chosen = useStore(scope);
  if (!admin) return null;
  return (
    <label className={css.client}>
      <span>{t.settings.client}</span>
      <select
        className={controls.select}
        value={chosen === undefined ? "" : `${chosen}`}
        onChange={(event) => scope.choose(event.target.value === "" ? undefined : BigInt(event.target.value))}
      >
        <option value="">{t.settings.allClients}</option>
        {clients.map(({ clientId, name }) => (
          <option key={`${clientId}`} value={`${clientId}`}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Account() {
  const who = useWho();
  const { theme, zone } = useStore(settings);
  return (
    <div className={css.account}>
      <Choice
        label={t.settings.theme}
        value={theme}
        options={t.settings.themes}
        onChange={(value) => settings.change({ theme: value as Settings["theme"] })}
      />
      <Choice
        label={t.settings.zone}
        value={zone}
        options={t.settings.zones}
        onChange={(value) => settings.change({ zone: value as Settings["zone"] })}
      />
      <div className={css.who}>
        <span>
          <strong>{who.admin ? t.session.admin : who.name}</strong>
          {!who.writes && <small>{t.session.reads}</small>}
        </span>
        <Button
          kind="ghost"
          icon
          aria-label={t.session.signOut}
          title={t.session.signOut}
          onClick={() => session.signOut()}
        >
          <LogOut size={15} aria-hidden />
        </Button>
      </div>
    </div>
  );
}

function Choice(props: {
  label: string;
  value: string;
  options: Record<string, string>;
  onChange: (value: string) => void;
}) {
  return (
    <label className={css.choice}>
      <span>{props.label}</span>
      <select className={controls.select} value={props.value} onChange={(event) => props.onChange(event.target.value)}>
        {Object.entries(props.options).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}
