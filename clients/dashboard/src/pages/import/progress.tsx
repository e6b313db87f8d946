import { Download } from "lucide-react";
import { imports as i } from "../../text/en/import";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button, LinkButton } from "../../ui/button";
import { download } from "../../ui/download";
import { count } from "../../ui/numbers";
import { Card } from "../../ui/page";
import { Plain } from "../../ui/plain-table";
import admin from "../admin/admin.module.css";
import { writeRefused } from "./csv";
import css from "./import.module.css";
import { type ImportState, importer } from "./importer";

/** How many refused lines are shown. All of them are in the file. */
const SHOWN = 50;

/** The check and the import of a file. */
export function Progress({ state, onAnother }: { state: ImportState; onAnother: () => void }) {
  const of = state.file?.lines.length ?? 0;
  const good = of - state.refused.length;
  const running = state.step === "checking" || state.step === "importing";
  return (
    <>
      <Card label={i.file}>
        <div className={admin.form}>
          <Headline state={state} good={good} of={of} />
          {(running || state.step === "stopped") && (
            <div className={css.progress}>
              <progress value={state.done} max={of} aria-label={i.progress(count(state.done), count(of))} />
              <span>{i.progress(count(state.done), count(of))}</span>
            </div>
          )}
          {state.retryIn !== undefined && <Banner tone="warn">{i.retrying(state.retryIn)}</Banner>}
          {state.conflict && <Banner tone="bad">{i.conflict}</Banner>}
          <ErrorBanner error={state.error} />
          {/* Each step has buttons of its own, also for the focus. */}
          <div key={state.step} className={admin.foot}>
            <Actions state={state} good={good} onAnother={onAnother} />
          </div>
        </div>
      </Card>
      {state.refused.length > 0 && <Refused state={state} />}
      {state.warnings.length > 0 && (
        <Banner tone="warn" live={false}>
          <strong>{i.warnings}</strong>
          <ul className={admin.list}>
            {state.warnings.map((it, n) => (
              <li key={n}>{it}</li>
            ))}
          </ul>
        </Banner>
      )}
    </>
  );
}

function Headline({ state, good, of }: { state: ImportState; good: number; of: number }) {
  switch (state.step) {
    case "checking":
      return <p role="status">{i.checking}</p>;
    case "checked":
      return (
        <Banner tone={good > 0 ? "good" : "bad"}>
          <strong>{good > 0 ? i.checked(count(good)) : i.nothing}</strong>
          {state.present > 0 && <p>{i.present(count(state.present))}</p>}
        </Banner>
      );
    case "importing":
      return <p role="status">{i.importing}</p>;
    case "stopped":
      return (
        <Banner tone="warn">
          <strong>{state.hopeless ? i.hopeless : i.stopped}</strong>
          {!state.hopeless && <p>{i.stoppedText(count(state.done), count(of))}</p>}
        </Banner>
      );
    case "done":
      return (
        <Banner tone="good">
          <strong>{i.done(count(state.inserted + state.present))}</strong>
          <p>{i.doneNew(count(state.inserted), count(state.present))}</p>
        </Banner>
      );
    case "idle":
      return null;
  }
}

function Actions({ state, good, onAnother }: { state: ImportState; good: number; onAnother: () => void }) {
  const back = <Button onClick={() => importer.back()}>{i.back}</Button>;
  switch (state.step) {
    case "checking":
    case "importing":
      return <Button onClick={() => importer.stop()}>{i.stop}</Button>;
    case "checked":
      return (
        <>
          {good > 0 && (
            <Button kind="primary" onClick={() => void importer.start()}>
              {i.start(count(good))}
            </Button>
          )}
          {back}
        </>
      );
    case "stopped":
      return (
        <>
          {!state.hopeless && (
            <Button kind="primary" onClick={() => void importer.resume()}>
              {i.resume}
            </Button>
          )}
          {back}
        </>
      );
    case "done":
      return (
        <>
          {state.queueId !== undefined && (
            <LinkButton kind="primary" to={`/queues/${state.queueId}`}>
              {i.toQueue}
            </LinkButton>
          )}
          <Button onClick={onAnother}>{i.another}</Button>
        </>
      );
    case "idle":
      return null;
  }
}

function Refused({ state: { refused, file } }: { state: ImportState }) {
  const save = () => {
    if (!file) return;
    const rows = refused.map((it) => ({ index: it.index, why: it.field ? `${it.field}: ${it.why}` : it.why }));
    download(file.name.replace(/(\.[^.]*)?$/, "-refused$1"), writeRefused(file, rows));
  };
  return (
    <Card
      flush
      title={refused.length === 1 ? i.refusedOne : i.refused(count(refused.length))}
      aside={
        <Button onClick={save}>
          <Download size={14} aria-hidden />
          {i.downloadRefused}
        </Button>
      }
    >
      <p className={admin.cardText}>{i.refusedText}</p>
      <Plain
        label={i.refused(count(refused.length))}
        head={[i.line, i.field, i.why]}
        rows={refused.slice(0, SHOWN).map((it) => ({
          key: `${it.index}`,
          cells: [
            `${it.line}`,
            <code key="field">{it.field}</code>,
            <div key="why" className={admin.wrap}>
              {it.why}
            </div>,
          ],
        }))}
      />
      {refused.length > SHOWN && <p className={admin.cardText}>{i.moreRefused(count(refused.length - SHOWN))}</p>}
    </Card>
  );
}
