import { CreateQuickCallRequestSchema, OriginateActionSchema } from "@trunkline/client";
import { PhoneOutgoing } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { useScope, useWho } from "../../api/hooks";
import { useDialServers } from "../../api/servers";
import { api } from "../../api/transport";
import { Field, Fields } from "../../forms/field";
import fields from "../../forms/field.module.css";
import { focusWrong } from "../../forms/focus";
import { useForm } from "../../forms/form";
import { readTime } from "../../forms/when";
import { t } from "../../text/en";
import { quick as q } from "../../text/en/quick";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { ChooseClient } from "../../ui/choose-client";
import controls from "../../ui/controls.module.css";
import { Card } from "../../ui/page";
import { Segments } from "../../ui/segments";
import { useSend } from "../../ui/send";
import { useZone } from "../../ui/time";
import css from "../admin/admin.module.css";
import { readPairs } from "./pairs";
import { Placed } from "./placed";

/** The fields that are not in sight at first. */
const MORE = ["did", "contact_number_text", "project", "timeout", "retry", "not_before", "channel"];

type Then = keyof typeof q.thens;

/** Makes an id that no other request has. `randomUUID` is missing over plain http. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (it) => it.toString(16).padStart(2, "0")).join("");
}

/** The form of a call, and then what becomes of it. */
export function QuickForm() {
  const { clientId } = useScope();
  const who = useWho();
  const zone = useZone();
  const servers = useDialServers();
  const call = useForm(CreateQuickCallRequestSchema, {
    asterisk_server_code: "",
    customer_name: "",
    number1: "",
    number2: "",
    did: "",
    contact_number_text: "",
    project: "",
    retry: "",
    not_before: "",
    create_recording: true,
  });
  const action = useForm(OriginateActionSchema, {
    application: "",
    data: "",
    context: "",
    exten: "",
    priority: "",
    channel: "",
    timeout: "",
  });
  const [then, setThen] = useState<Then>("connect");
  const [more, setMore] = useState(false);
  const [labels, setLabels] = useState("");
  const [variables, setVariables] = useState("");
  const [placed, setPlaced] = useState<{ callId: string; replayed: boolean }>();
  const { busy, error, run, clear } = useSend();
  // A request that is repeated because its answer was lost must not place a second call.
  const sent = useRef({ content: "", key: "" });
  // The first server is chosen as soon as the servers are known.
  const first = servers[0];
  const chosen = call.values.asterisk_server_code;
  useEffect(() => {
    if (first !== undefined && chosen === "") call.set("asterisk_server_code", first);
  }, [first, chosen, call.set]);

  const submit = async () => {
    const [made, acted] = [call.submit(), action.submit()];
    const [labelPairs, variablePairs] = [readPairs(labels), readPairs(variables)];
    if (!made || !acted || labelPairs.wrong || variablePairs.wrong) return focusWrong();
    const { channel, timeout } = acted as { channel?: string; timeout?: number };
    const { application, data, context, exten, priority } = acted as Record<string, string | undefined>;
    const request = {
      ...made,
      clientId,
      number2: then === "connect" ? (made.number2 as string | undefined) : undefined,
      notBefore: readTime(call.values.not_before, zone),
      retry: (made.retry as number | undefined) ?? 0,
      labels: labelPairs.pairs,
      action: {
        channel,
        timeout,
        variables: variablePairs.pairs,
        ...(then === "connect" ? { application: "Dial" } : {}),
        ...(then === "application" ? { application, data } : {}),
        ...(then === "dialplan" ? { context, exten, priority } : {}),
      },
    };
    const content = JSON.stringify(request, (_, value) => (typeof value === "bigint" ? `${value}` : value));
    if (content !== sent.current.content) sent.current = { content, key: newKey() };
    let replayed = false;
    const answer = await run(
      () =>
        api.calls.createQuickCall(request, {
          headers: { "idempotency-key": sent.current.key },
          onHeader: (headers) => {
            replayed = headers.has("idempotent-replayed");
          },
        }),
      call,
      [action, "action."],
    );
    if (answer) setPlaced({ callId: answer.callId, replayed });
  };

  // What is wrong must be in sight.
  const wrong = { ...call.errors, ...action.errors };
  const hidden = MORE.some((name) => name in wrong);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each attempt to send brings other errors.
  useEffect(() => {
    if (hidden) setMore(true);
  }, [hidden, call.errors, action.errors]);

  if (who.admin && clientId === undefined) return <ChooseClient help={q.clientHelp} />;
  if (placed) {
    const another = () => {
      sent.current = { content: "", key: "" };
      clear();
      setPlaced(undefined);
    };
    return <Placed {...placed} onAnother={another} />;
  }
  return (
    <Card label={t.nav.quick}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <ErrorBanner error={error} />
        {servers.length === 0 && <Banner tone="warn">{q.noServer}</Banner>}
        <Fields>
          <Field form={call} name="customer_name" label={q.customer_name} help={q.customer_nameHelp} />
          <Field form={call} name="number1" label={q.number1} help={q.number1Help} />
          <Field
            form={call}
            name="asterisk_server_code"
            label={q.server}
            options={servers.map((code) => ({ value: code, label: code }))}
          />
        </Fields>
        <div className={css.form}>
          <h2>{q.answered}</h2>
          <div>
            <Segments label={q.answered} value={then} options={q.thens} onChange={setThen} />
          </div>
          <Fields>
            {then === "connect" && <Field form={call} name="number2" label={q.number2} help={q.number2Help} />}
            {then === "application" && (
              <>
                <Field form={action} name="application" label={q.application} help={q.applicationHelp} />
                <Field form={action} name="data" label={q.data} help={q.dataHelp} />
              </>
            )}
            {then === "dialplan" && (
              <>
                <Field form={action} name="context" label={q.context} help={q.contextHelp} />
                <Field form={action} name="exten" label={q.exten} />
                <Field form={action} name="priority" label={q.priority} help={q.priorityHelp} />
              </>
            )}
          </Fields>
        </div>
        <details open={more} onToggle={(event) => setMore(event.currentTarget.open)}>
          <summary>{q.more}</summary>
          <div className={css.more}>
            <Fields>
              <Field form={call} name="did" label={q.did} help={q.didHelp} />
              <Field form={call} name="contact_number_text" label={q.contact} help={q.contactHelp} />
              <Field form={call} name="project" label={q.project} help={q.projectHelp} />
              <Field form={action} name="timeout" label={q.timeout} help={q.timeoutHelp} />
              <Field form={call} name="retry" label={q.retry} help={q.retryHelp} />
              <Field
                form={call}
                name="not_before"
                type="datetime-local"
                label={q.not_before}
                help={`${q.not_beforeHelp} ${t.settings.zones[zone]}.`}
              />
              <Field form={action} name="channel" label={q.channel} help={q.channelHelp} />
              <Field form={call} name="create_recording" label={q.record} help={q.recordHelp} />
            </Fields>
            <Fields>
              <Pairs label={q.labels} help={q.labelsHelp} value={labels} onChange={setLabels} />
              <Pairs label={q.variables} help={q.variablesHelp} value={variables} onChange={setVariables} />
            </Fields>
          </div>
        </details>
        <div className={css.foot}>
          <Button kind="primary" type="submit" disabled={busy || servers.length === 0}>
            <PhoneOutgoing size={14} aria-hidden />
            {busy ? q.placing : q.submit}
          </Button>
        </div>
      </form>
    </Card>
  );
}

/** A map, one entry on each line. */
function Pairs(props: { label: string; help: string; value: string; onChange: (value: string) => void }) {
  const id = useId();
  const { wrong } = readPairs(props.value);
  return (
    <div className={fields.field}>
      <label htmlFor={id}>{props.label}</label>
      <textarea
        id={id}
        className={controls.area}
        rows={3}
        value={props.value}
        aria-invalid={wrong !== undefined}
        aria-describedby={`${id}-help`}
        onChange={(event) => props.onChange(event.target.value)}
      />
      {wrong && <p className={fields.error}>{wrong}</p>}
      <p id={`${id}-help`} className={fields.help}>
        {props.help}
      </p>
    </div>
  );
}
