import { useQuery } from "@connectrpc/connect-query";
import { QueueKind, QueueService, QueueStatus } from "@trunkline/client";
import { Plus, X } from "lucide-react";
import { useId, useState } from "react";
import { useScope } from "../../api/hooks";
import { useDialServers } from "../../api/servers";
import fields from "../../forms/field.module.css";
import { imports as i } from "../../text/en/import";
import { Banner } from "../../ui/banner";
import { Button } from "../../ui/button";
import controls from "../../ui/controls.module.css";
import { count } from "../../ui/numbers";
import { Card } from "../../ui/page";
import { Plain } from "../../ui/plain-table";
import admin from "../admin/admin.module.css";
import { builder, FIELDS, type Mapping, targetLabel } from "./columns";
import type { CsvFile } from "./csv";
import css from "./import.module.css";
import type { Options } from "./remembered";

const PREVIEW = 5;

interface Props {
  file: CsvFile;
  options: Options;
  onChange: (options: Options) => void;
  onDelimiter: (delimiter: string) => void;
  onCheck: () => void;
}

/** What the columns of a file mean, and where its calls go. */
export function Settings({ file, options, onChange, onDelimiter, onCheck }: Props) {
  const [tried, setTried] = useState(false);
  const { mapping } = options;
  const servers = useDialServers();
  const server = mapping.server || (mapping.columns.includes("asterisk_server_code") ? "" : (servers[0] ?? ""));
  const effective = { ...mapping, server };
  const made = builder(file, effective);
  const map = (change: Partial<Mapping>) => onChange({ ...options, mapping: { ...effective, ...change } });
  const check = () => {
    setTried(true);
    if ("wrong" in made) return;
    onChange({ ...options, mapping: effective });
    onCheck();
  };
  return (
    <form
      noValidate
      className={css.settings}
      onSubmit={(event) => {
        event.preventDefault();
        check();
      }}
    >
      <Card flush title={i.preview} aside={<Separator value={file.delimiter} onChange={onDelimiter} />}>
        <Plain
          label={i.preview}
          head={file.heads}
          rows={file.lines.slice(0, PREVIEW).map((it) => ({ key: `${it.line}`, cells: it.cells }))}
        />
      </Card>
      <Columns file={file} mapping={effective} onChange={map} />
      <Texts file={file} mapping={effective} servers={servers} onChange={map} />
      <FirstCall file={file} mapping={effective} />
      <Queue options={options} onChange={onChange} />
      {tried && "wrong" in made && <Banner tone="bad">{made.wrong}</Banner>}
      <div className={admin.foot}>
        <Button kind="primary" type="submit">
          {i.check(count(file.lines.length))}
        </Button>
      </div>
    </form>
  );
}

function Separator({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <label className={css.inline}>
      {i.separator}
      <select className={controls.select} value={value} onChange={(event) => onChange(event.target.value)}>
        {Object.entries(i.separators).map(([it, label]) => (
          <option key={it} value={it}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What each column becomes. */
function Columns(props: { file: CsvFile; mapping: Mapping; onChange: (change: Partial<Mapping>) => void }) {
  const { file, mapping } = props;
  const set = (column: number, target: string) => {
    const columns = mapping.columns.map((it, n) => (n === column ? target : it));
    // What a column becomes is no longer the same in every call.
    const texts = mapping.texts.filter((it) => it.target !== target || it.text !== "");
    props.onChange({ columns, texts });
  };
  return (
    <Card flush title={i.columns}>
      <p className={admin.cardText}>{i.columnsText}</p>
      <Plain
        label={i.columns}
        wide={[1]}
        head={[i.column, i.example, i.becomes]}
        rows={file.heads.map((head, column) => {
          const target = mapping.columns[column] ?? "";
          return {
            key: `${column}`,
            cells: [
              head,
              <span key="example" className={css.example}>
                {file.lines[0]?.cells[column] ?? ""}
              </span>,
              <Target key="target" head={head} target={target} onChange={(it) => set(column, it)} />,
            ],
          };
        })}
      />
    </Card>
  );
}

const named = (target: string) => target.match(/^(var|label)\./)?.[1];

/** Returns a name for a variable or a label that comes from a column. */
function suggestion(kind: string, head: string): string {
  const name = head
    .trim()
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  return kind === "var" ? name.toUpperCase().replace(/^(\d)/, "_$1") : name.toLowerCase();
}

function Target({ head, target, onChange }: { head: string; target: string; onChange: (target: string) => void }) {
  const kind = named(target);
  return (
    <div className={css.target}>
      <select
        className={controls.select}
        aria-label={i.meaning(head)}
        value={kind ?? target}
        onChange={(event) => {
          const chosen = event.target.value;
          onChange(chosen === "var" || chosen === "label" ? `${chosen}.${suggestion(chosen, head)}` : chosen);
        }}
      >
        <option value="">{i.ignored}</option>
        {FIELDS.map((it) => (
          <option key={it} value={it}>
            {targetLabel(it)}
          </option>
        ))}
        <option value="var">{i.variable}</option>
        <option value="label">{i.label}</option>
      </select>
      {kind && (
        <input
          className={controls.input}
          aria-label={kind === "var" ? i.variableName(head) : i.labelKey(head)}
          value={target.slice(kind.length + 1)}
          onChange={(event) => onChange(`${kind}.${event.target.value.trim()}`)}
        />
      )}
    </div>
  );
}

/** What is the same in every call. */
function Texts(props: {
  file: CsvFile;
  mapping: Mapping;
  servers: string[];
  onChange: (change: Partial<Mapping>) => void;
}) {
  const { file, mapping, onChange } = props;
  const id = useId();
  const set = (target: string, text: string) =>
    onChange({ texts: mapping.texts.map((it) => (it.target === target ? { target, text } : it)) });
  const used = [...mapping.columns, ...mapping.texts.map((it) => it.target), "asterisk_server_code"];
  const example = file.heads[mapping.columns.indexOf("contact_number")] ?? file.heads[0] ?? "";
  const placeholder: Record<string, string> = {
    channel: `PJSIP/{${example}}@trunk1`,
    application: "Queue",
    data: "support",
  };
  return (
    <Card title={i.same}>
      <div className={admin.form}>
        <p className={admin.text}>{i.sameText(example)}</p>
        <div className={fields.fields}>
          <div className={fields.field}>
            <label htmlFor={`${id}-server`}>{i.server}</label>
            <select
              id={`${id}-server`}
              className={controls.select}
              value={mapping.server}
              onChange={(event) => onChange({ server: event.target.value })}
            >
              <option value="">{i.noServer}</option>
              {props.servers.map((code) => (
                <option key={code} value={code}>
                  {code}
                </option>
              ))}
            </select>
            <p className={fields.help}>{i.serverHelp}</p>
          </div>
          {mapping.texts.map(({ target, text }) => (
            <div key={target} className={fields.field}>
              <label htmlFor={`${id}-${target}`}>{targetLabel(target)}</label>
              <div className={fields.input}>
                <input
                  id={`${id}-${target}`}
                  className={controls.input}
                  autoComplete="off"
                  spellCheck={false}
                  placeholder={placeholder[target]}
                  value={text}
                  onChange={(event) => set(target, event.target.value)}
                />
                <Button
                  kind="ghost"
                  icon
                  aria-label={i.removeField(targetLabel(target))}
                  onClick={() => onChange({ texts: mapping.texts.filter((it) => it.target !== target) })}
                >
                  <X size={14} aria-hidden />
                </Button>
              </div>
            </div>
          ))}
        </div>
        <label className={css.inline}>
          <Plus size={14} aria-hidden />
          <select
            className={controls.select}
            aria-label={i.add}
            value=""
            onChange={(event) => onChange({ texts: [...mapping.texts, { target: event.target.value, text: "" }] })}
          >
            <option value="">{i.add}</option>
            {FIELDS.filter((it) => !used.includes(it)).map((it) => (
              <option key={it} value={it}>
                {targetLabel(it)}
              </option>
            ))}
          </select>
        </label>
      </div>
    </Card>
  );
}

/** The call that the first line would become. */
function FirstCall({ file, mapping }: { file: CsvFile; mapping: Mapping }) {
  const made = builder(file, mapping);
  const line = file.lines.find((it) => !it.wrong);
  if (!("build" in made) || !line) return null;
  const built = made.build(line.cells);
  if ("why" in built) {
    return (
      <Banner tone="warn">
        {i.first}: <code>{built.field}</code> {built.why}
      </Banner>
    );
  }
  const { item } = built;
  const { action } = item;
  const parts: [string, string | undefined][] = [
    ["asterisk_server_code", item.asteriskServerCode],
    ["channel", action?.channel],
    ["application", action?.application],
    ["data", action?.data],
    ["context", action?.context],
    ["exten", action?.exten],
    ["contact_number", item.contactNumber === undefined ? item.contactNumberText : `${item.contactNumber}`],
    ["caller_id", item.callerId],
    ...Object.entries(action?.variables ?? {}).map(([name, value]): [string, string] => [`var.${name}`, value]),
    ...Object.entries(item.labels).map(([name, value]): [string, string] => [`label.${name}`, value]),
  ];
  return (
    <Card title={i.first}>
      <dl className={admin.facts}>
        {parts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{targetLabel(name)}</dt>
              <dd>
                <code>{value}</code>
              </dd>
            </div>
          ))}
      </dl>
    </Card>
  );
}

/** The queue of the calls. */
function Queue({ options, onChange }: { options: Options; onChange: (options: Options) => void }) {
  const scope = useScope();
  const id = useId();
  const { data } = useQuery(QueueService.method.listQueues, { ...scope, kind: QueueKind.BULK, pageSize: 50 });
  const open = data?.results.filter((it) => it.queueStatus !== QueueStatus.COMPLETED) ?? [];
  const listed = options.queueId === "" || open.some((it) => `${it.queueId}` === options.queueId);
  return (
    <Card title={i.queue}>
      <div className={admin.form}>
        <div className={fields.fields}>
          <div className={fields.field}>
            <label htmlFor={`${id}-queue`}>{i.into}</label>
            <select
              id={`${id}-queue`}
              className={controls.select}
              value={options.queueId}
              onChange={(event) => onChange({ ...options, queueId: event.target.value })}
            >
              <option value="">{i.newQueue}</option>
              {!listed && <option value={options.queueId}>{i.oldQueue(options.queueId)}</option>}
              {open.map((it) => (
                <option key={`${it.queueId}`} value={`${it.queueId}`}>
                  {i.oldQueue(`${it.queueId} ${it.name ?? ""}`)}
                </option>
              ))}
            </select>
          </div>
          {options.queueId === "" && (
            <>
              <div className={fields.field}>
                <label htmlFor={`${id}-name`}>{i.name}</label>
                <input
                  id={`${id}-name`}
                  className={controls.input}
                  maxLength={255}
                  value={options.name}
                  onChange={(event) => onChange({ ...options, name: event.target.value })}
                />
              </div>
              <div className={fields.field}>
                <label className={fields.check}>
                  <input
                    type="checkbox"
                    className={controls.check}
                    checked={options.paused}
                    onChange={(event) => onChange({ ...options, paused: event.target.checked })}
                  />
                  {i.paused}
                </label>
                <p className={fields.help}>{i.pausedHelp}</p>
              </div>
            </>
          )}
        </div>
        <details>
          <summary>{i.more}</summary>
          <div className={admin.more}>
            <div className={fields.fields}>
              <div className={fields.field}>
                <label htmlFor={`${id}-dids`}>{i.dids}</label>
                <textarea
                  id={`${id}-dids`}
                  className={controls.area}
                  rows={3}
                  value={options.dids}
                  onChange={(event) => onChange({ ...options, dids: event.target.value })}
                />
                <p className={fields.help}>{i.didsHelp}</p>
              </div>
              <div className={fields.field}>
                <label htmlFor={`${id}-again`}>{i.again}</label>
                <input
                  id={`${id}-again`}
                  className={controls.input}
                  value={options.label}
                  onChange={(event) => onChange({ ...options, label: event.target.value })}
                />
                <p className={fields.help}>{i.againHelp}</p>
              </div>
            </div>
          </div>
        </details>
      </div>
    </Card>
  );
}
