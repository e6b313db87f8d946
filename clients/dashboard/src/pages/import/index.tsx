import { FileUp } from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { useScope, useWho } from "../../api/hooks";
import { scope } from "../../api/scope";
import { session } from "../../api/session";
import { Store, useStore } from "../../store";
import { t } from "../../text/en";
import { imports as i } from "../../text/en/import";
import { Banner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { ChooseClient } from "../../ui/choose-client";
import { classes } from "../../ui/classes";
import { count } from "../../ui/numbers";
import { Page } from "../../ui/page";
import admin from "../admin/admin.module.css";
import { guess } from "./columns";
import { type CsvFile, FileFault, readCsv } from "./csv";
import css from "./import.module.css";
import { importer } from "./importer";
import { Progress } from "./progress";
import { namesake, type Options, type Remembered, recall } from "./remembered";
import { Settings } from "./settings";

/** The file that was chosen, and what is done with it. It is kept while other pages are open. */
interface Draft {
  file: CsvFile;
  source: File;
  options: Options;
  /** The same file was imported before, at least in part. */
  earlier?: Remembered;
  /** Another file of this name was imported before. */
  namesake?: Remembered;
}

const draft = new Store<Draft | undefined>(undefined);

let lastKey = session.get().key;
session.subscribe(() => {
  const { key } = session.get();
  if (key === lastKey) return;
  lastKey = key;
  // A file that was chosen with one key is not imported with the next.
  importer.reset();
  draft.set(undefined);
});
scope.subscribe(() => {
  // What was imported before is known by client. An import that is under way stays with its client.
  if (importer.get().step === "idle") draft.set(undefined);
});

function firstOptions(file: CsvFile): Options {
  return {
    mapping: guess(file.heads),
    queueId: "",
    name: file.name.replace(/\.[^.]*$/, "").slice(0, 255),
    paused: false,
    dids: "",
    label: "",
  };
}

/** The page that imports calls from a CSV file. */
export default function Import() {
  const who = useWho();
  const { clientId } = useScope();
  const state = useStore(importer);
  const chosen = useStore(draft);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string>();

  const open = async (source: File, delimiter?: string) => {
    setBusy(true);
    setFault(undefined);
    try {
      const file = await readCsv(source, delimiter);
      const client = `${clientId ?? ""}`;
      const earlier = recall(client, file.sha256);
      importer.reset();
      draft.set({
        file,
        source,
        earlier,
        namesake: namesake(client, file.name, file.sha256),
        options: earlier && earlier.mapping.columns.length === file.heads.length ? { ...earlier } : firstOptions(file),
      });
    } catch (error) {
      draft.set(undefined);
      setFault(error instanceof FileFault ? error.message : String(error));
    }
    setBusy(false);
  };
  const another = () => {
    importer.reset();
    draft.set(undefined);
  };

  let content: React.ReactNode;
  if (!who.writes) content = <Banner tone="note">{t.session.readOnly}</Banner>;
  else if (who.admin && clientId === undefined && state.step === "idle") content = <ChooseClient help={i.text} />;
  else if (state.step !== "idle") content = <Progress state={state} onAnother={another} />;
  else if (chosen) {
    content = (
      <>
        <Earlier draft={chosen} />
        <Settings
          key={chosen.file.sha256 + chosen.file.delimiter}
          file={chosen.file}
          options={chosen.options}
          onChange={(options) => draft.set({ ...chosen, options })}
          onDelimiter={(delimiter) => void open(chosen.source, delimiter)}
          onCheck={() => void importer.check(chosen.file, clientId, chosen.options)}
        />
      </>
    );
  } else content = <Choose busy={busy} onFile={open} />;

  const file = state.file ?? chosen?.file;
  return (
    <Page
      title={t.nav.import}
      subtitle={
        file && (
          <>
            <strong>{file.name}</strong>
            <span>{i.lines(count(file.lines.length))}</span>
          </>
        )
      }
      actions={file && state.step === "idle" && <Button onClick={another}>{i.another}</Button>}
    >
      {!file && <p className={admin.text}>{i.text}</p>}
      {fault && <Banner tone="bad">{fault}</Banner>}
      {content}
    </Page>
  );
}

/** Says that the file, or one of its name, was imported before. */
function Earlier({ draft: { earlier, namesake: other, file } }: { draft: Draft }) {
  if (earlier) {
    return (
      <Banner tone="note">
        {earlier.done >= earlier.of ? i.knownDone(earlier.name) : i.known(count(earlier.done), count(earlier.of))}
      </Banner>
    );
  }
  return other ? <Banner tone="warn">{i.changedName(file.name, count(other.of))}</Banner> : null;
}

function Choose({ busy, onFile }: { busy: boolean; onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button inside does the same by keyboard.
    <div
      className={classes(css.drop, over && css.over)}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <FileUp size={30} strokeWidth={1.5} aria-hidden />
      <Button kind="primary" disabled={busy} onClick={() => input.current?.click()}>
        {busy ? i.reading : i.choose}
      </Button>
      <p>{i.drop}</p>
      <input
        ref={input}
        className="visually-hidden"
        type="file"
        accept=".csv,.tsv,.txt,text/csv"
        tabIndex={-1}
        aria-label={i.choose}
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file) onFile(file);
        }}
      />
    </div>
  );
}
