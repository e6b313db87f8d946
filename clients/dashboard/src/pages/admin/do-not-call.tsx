import { useQueryClient } from "@tanstack/react-query";
import {
  AddDoNotCallRequestSchema,
  AdminService,
  ClientService,
  type DoNotCallEntry,
  DoNotCallNumberSchema,
  violations,
} from "@trunkline/client";
import { PhoneOff, Plus, Search } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useClientName, useScope, useWho } from "../../api/hooks";
import { usePaged } from "../../api/paged";
import { api } from "../../api/transport";
import { Field, Fields } from "../../forms/field";
import { useForm } from "../../forms/form";
import { checkText, fieldOf } from "../../forms/rules";
import { useFilter } from "../../router";
import { t } from "../../text/en";
import { platform } from "../../text/en/platform";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Confirm } from "../../ui/confirm";
import controls from "../../ui/controls.module.css";
import { Buttons, Dialog } from "../../ui/dialog";
import { Empty } from "../../ui/empty";
import { count } from "../../ui/numbers";
import { Page } from "../../ui/page";
import { Segments } from "../../ui/segments";
import { useSend } from "../../ui/send";
import { type Column, Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { say } from "../../ui/toast";
import css from "./admin.module.css";
import { canonical } from "./do-not-call-check";

const p = platform.doNotCall;
/** How many numbers a request asks for. */
const PAGE = 100;

/** The do-not-call lists: that of the platform for administrators, and those of clients. */
export default function DoNotCall() {
  const who = useWho();
  const scope = useScope();
  const clientName = useClientName();
  const [chosen, choose] = useFilter("list");
  const list = who.admin && chosen !== "client" ? "platform" : "client";
  const known = list === "platform" || !who.admin || scope.clientId !== undefined;
  const ofPlatform = usePaged(AdminService.method.listPlatformDoNotCall, {}, (it) => it, PAGE, {
    enabled: list === "platform",
  });
  const ofClient = usePaged(ClientService.method.listDoNotCall, scope, (it) => it, PAGE, {
    enabled: list === "client" && known,
  });
  const shown = list === "platform" ? ofPlatform : ofClient;
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<DoNotCallEntry>();

  const lookUp = async (number: string) => {
    const found =
      list === "platform"
        ? await api.admin.listPlatformDoNotCall({ number })
        : await api.clients.listDoNotCall({ ...scope, number });
    return found.results[0];
  };
  const add = async (numbers: { number: string; reason?: string }[]) => {
    const { addedCount } =
      list === "platform"
        ? await api.admin.addPlatformDoNotCall({ numbers })
        : await api.clients.addDoNotCall({ ...scope, numbers });
    say(p.addedCount(addedCount, numbers.length));
    void queries.invalidateQueries();
  };
  const remove = async (number: string) => {
    if (list === "platform") await api.admin.removePlatformDoNotCall({ number });
    else await api.clients.removeDoNotCall({ ...scope, number });
    say(p.removed(number));
    await queries.invalidateQueries();
  };

  const columns: Column<DoNotCallEntry>[] = [
    { id: "number", title: p.number, width: "minmax(120px, 1fr)", cell: (it) => <code>{it.number}</code> },
    { id: "reason", title: p.reason, width: "minmax(90px, 2fr)", cell: (it) => it.reason ?? "" },
    { id: "added", title: p.added, width: "120px", wide: true, cell: (it) => <Time at={it.addedAt} /> },
    ...(who.writes
      ? [
          {
            id: "actions",
            title: "",
            label: p.actions,
            width: "80px",
            align: "end" as const,
            cell: (it: DoNotCallEntry) => (
              <Button small aria-label={`${p.remove} ${it.number}`} onClick={() => setRemoved(it)}>
                {p.remove}
              </Button>
            ),
          },
        ]
      : []),
  ];
  const addButton = who.writes && known && (
    <Button kind="primary" onClick={() => setAdding(true)}>
      <Plus size={15} aria-hidden />
      {p.add}
    </Button>
  );
  return (
    <Page fill title={t.nav.doNotCall} subtitle={known && shown.count > 0 && count(shown.count)} actions={addButton}>
      <div className={css.filters}>
        {who.admin && (
          <Segments
            label={p.list}
            value={list}
            options={p.lists}
            onChange={(value) => choose(value === "platform" ? "" : value)}
          />
        )}
        {list === "client" && who.admin && scope.clientId !== undefined && (
          <strong>{p.of(clientName(scope.clientId))}</strong>
        )}
      </div>
      <p className={css.text}>{p.text}</p>
      {list === "client" && !known ? (
        <Empty icon={PhoneOff} title={p.choose}>
          {p.chooseText}
        </Empty>
      ) : (
        <>
          <Check key={`${list} ${scope.clientId}`} lookUp={lookUp} />
          <ErrorBanner error={shown.error} onRetry={shown.refetch} />
          <div className={css.tableCard}>
            <Table
              key={`${list} ${scope.clientId}`}
              label={t.nav.doNotCall}
              columns={columns}
              count={shown.count}
              row={shown.row}
              rowKey={(it) => it.number}
              onRange={shown.onRange}
              loading={shown.isPending}
              empty={
                <Empty icon={PhoneOff} title={p.empty} actions={addButton}>
                  {who.writes ? p.emptyText : undefined}
                </Empty>
              }
            />
          </div>
        </>
      )}
      {adding && <Add onAdd={add} onClose={() => setAdding(false)} />}
      {removed && (
        <Confirm
          title={p.removeTitle(removed.number)}
          action={p.remove}
          danger
          run={() => remove(removed.number)}
          onClose={() => setRemoved(undefined)}
        >
          <p>{p.removeText}</p>
        </Confirm>
      )}
    </Page>
  );
}

/** Says whether a number is on the list. */
function Check({ lookUp }: { lookUp: (number: string) => Promise<DoNotCallEntry | undefined> }) {
  const [text, setText] = useState("");
  const [result, setResult] = useState<{ number: string; entry: DoNotCallEntry | undefined } | "wrong">();
  const { busy, error, run } = useSend();
  const check = async (event: FormEvent) => {
    event.preventDefault();
    const number = canonical(text);
    if (!number) return setResult("wrong");
    setResult(undefined);
    const found = await run(async () => ({ entry: await lookUp(text) }));
    if (found) setResult({ number, entry: found.entry });
  };
  return (
    <>
      <form className={css.filters} onSubmit={check}>
        <input
          className={controls.input}
          aria-label={p.check}
          placeholder={p.check}
          inputMode="tel"
          autoComplete="off"
          value={text}
          aria-invalid={result === "wrong"}
          onChange={(event) => {
            setText(event.target.value);
            setResult(undefined);
          }}
        />
        <Button type="submit" disabled={busy}>
          <Search size={14} aria-hidden />
          {p.checkButton}
        </Button>
      </form>
      <ErrorBanner error={error} />
      {result === "wrong" && <Banner tone="bad">{p.checkEmpty}</Banner>}
      {result && result !== "wrong" && (
        <Banner tone={result.entry ? "warn" : "good"}>
          <strong>{result.entry ? p.onList(result.number) : p.notOnList(result.number)}</strong> {result.entry?.reason}
        </Banner>
      )}
    </>
  );
}

function Add(props: { onAdd: (numbers: { number: string; reason?: string }[]) => Promise<void>; onClose: () => void }) {
  const numbers = useForm(AddDoNotCallRequestSchema, { numbers: [] });
  const reason = useForm(DoNotCallNumberSchema, { reason: "" });
  const [wrong, setWrong] = useState<string[]>([]);
  const { busy, error, run } = useSend();
  const submit = async () => {
    const typed = (numbers.values.numbers as string[]).map((it) => it.trim()).filter((it) => it !== "");
    const field = fieldOf(DoNotCallNumberSchema, "number");
    const bad = typed.flatMap((it) => {
      const why = checkText(field, it);
      return why ? [`${it}: ${why}`] : [];
    });
    setWrong(bad);
    const made = numbers.submit();
    const { reason: why } = reason.submit() ?? {};
    if (!made || bad.length > 0) return;
    const done = await run(async () => {
      try {
        await props.onAdd(typed.map((number) => ({ number, reason: why as string | undefined })));
        return true;
      } catch (failure) {
        // The server names a number by its place, which nobody can see.
        setWrong(
          violations(failure).flatMap(({ field: path, description }) => {
            const at = path.match(/^numbers\[(\d+)\]/);
            return at ? [`${typed[Number(at[1])]}: ${description}`] : [];
          }),
        );
        throw failure;
      }
    }, numbers);
    if (done) props.onClose();
  };
  return (
    <Dialog title={p.add} onClose={props.onClose}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p className={css.text}>{p.addText}</p>
        <ErrorBanner error={error} />
        {wrong.length > 0 && (
          <Banner tone="bad">
            <ul className={css.list}>
              {wrong.slice(0, 20).map((it) => (
                <li key={it}>{it}</li>
              ))}
            </ul>
          </Banner>
        )}
        <Fields single>
          <Field form={numbers} name="numbers" label={p.numbers} help={p.numbersHelp} rows={6} />
          <Field form={reason} name="reason" label={p.reason} help={p.reasonHelp} />
        </Fields>
        <Buttons>
          <Button onClick={props.onClose}>{t.actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {busy ? t.actions.working : p.add}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
