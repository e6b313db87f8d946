import { type Client, type DialPolicy, DialPolicySchema, DidPolicy, PrefixRulesSchema } from "@trunkline/client";
import { api } from "../../../api/transport";
import { Checks } from "../../../forms/checks";
import { Field, Fields } from "../../../forms/field";
import { useFollow } from "../../../forms/follow";
import { useForm } from "../../../forms/form";
import { Letters } from "../../../forms/letters";
import { admin as a } from "../../../text/en/admin";
import { ErrorBanner } from "../../../ui/banner";
import { Card } from "../../../ui/page";
import { useSend } from "../../../ui/send";
import { say } from "../../../ui/toast";
import css from "../admin.module.css";
import { FormFoot } from "../form-foot";

const p = a.policy;
const choices = (names: string) => names.split(" ").map((it) => ({ value: it, label: it }));
const TECHNOLOGIES = choices("PJSIP Local SIP IAX2 DAHDI");
const APPLICATIONS = choices(
  "AMD Answer Busy ConfBridge Congestion Dial Echo Hangup Milliwatt MusicOnHold NoOp Playback Playtones Proceeding " +
    "Progress Queue Ringing SayDigits SayNumber SendDTMF Wait WaitForSilence",
);
const DID_POLICIES = [DidPolicy.UNSPECIFIED, DidPolicy.FILL, DidPolicy.FORCE, DidPolicy.OFF].map((it) => ({
  value: `${it}`,
  label: p.did_policies[it],
}));

/** Writes a policy as a form takes it. */
function written(policy: DialPolicy | undefined) {
  return {
    technologies: policy?.technologies ?? [],
    trunks: policy?.trunks ?? [],
    max_legs: `${policy?.maxLegs ?? ""}`,
    applications: policy?.applications ?? [],
    dial_options: policy?.dialOptions ?? [],
    contexts: policy?.contexts ?? [],
    queues: policy?.queues ?? [],
    conferences: policy?.conferences ?? [],
    conference_profiles: policy?.conferenceProfiles ?? [],
    did_policy: `${policy?.didPolicy ?? 0}`,
    accounts: policy?.accounts ?? [],
    variables: policy?.variables ?? [],
    recording_dirs: policy?.recordingDirs ?? [],
    allow_recording_command: policy?.allowRecordingCommand ?? false,
  };
}

/** Writes the rules for numbers as a form takes them. */
function prefixes(policy: DialPolicy | undefined) {
  const rules = policy?.destinationPrefixes;
  return { allow: rules?.allow ?? [], deny: rules?.deny ?? [] };
}

/** What a client may dial. */
export function Policy({ client, onChange }: { client: Client; onChange: () => void }) {
  const form = useForm(DialPolicySchema, written(client.policy));
  const numbers = useForm(PrefixRulesSchema, prefixes(client.policy));
  useFollow(form, written(client.policy));
  useFollow(numbers, prefixes(client.policy));
  const { busy, error, run } = useSend();
  const submit = async () => {
    const [policy, rules] = [form.submit(), numbers.submit()];
    if (!policy || !rules) return;
    const request = {
      clientId: client.clientId,
      policy: { ...policy, destinationPrefixes: rules },
      updateMask: ["policy"],
    };
    const answer = await run(
      () => api.admin.updateClient(request),
      [form, "policy."],
      [numbers, "policy.destination_prefixes."],
    );
    if (!answer) return;
    form.reset(written(answer.client?.policy));
    numbers.reset(prefixes(answer.client?.policy));
    say(p.saved);
    onChange();
  };
  const list = (name: "trunks" | "contexts" | "queues" | "conferences" | "conference_profiles" | "accounts") => (
    <Field form={form} name={name} label={p[name]} help={p[`${name}Help`]} rows={3} />
  );
  return (
    <Card title={p.title}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p className={css.text}>{p.text}</p>
        <ErrorBanner error={error} />
        <Fields title={p.groups.numbers}>
          <Field form={numbers} name="allow" label={p.allow} help={p.allowHelp} rows={4} />
          <Field form={numbers} name="deny" label={p.deny} help={p.denyHelp} rows={4} />
        </Fields>
        <Fields title={p.groups.channels}>
          <Checks
            form={form}
            name="technologies"
            label={p.technologies}
            help={p.technologiesHelp}
            options={TECHNOLOGIES}
          />
          {list("trunks")}
          <Field form={form} name="max_legs" label={p.max_legs} help={p.max_legsHelp} />
        </Fields>
        <Fields title={p.groups.dialplan} single>
          <Checks
            form={form}
            name="applications"
            label={p.applications}
            help={p.applicationsHelp}
            options={APPLICATIONS}
          />
        </Fields>
        <Fields>
          <Letters form={form} name="dial_options" label={p.dial_options} help={p.dial_optionsHelp} />
          {list("contexts")}
          {list("queues")}
          {list("conferences")}
          {list("conference_profiles")}
        </Fields>
        <Fields title={p.groups.more}>
          <Field form={form} name="did_policy" label={p.did_policy} help={p.did_policyHelp} options={DID_POLICIES} />
          {list("accounts")}
          <Field form={form} name="variables" label={p.variables} help={p.variablesHelp} rows={3} />
          <Field form={form} name="recording_dirs" label={p.recording_dirs} help={p.recording_dirsHelp} rows={3} />
          <Field
            form={form}
            name="allow_recording_command"
            label={p.allow_recording_command}
            help={p.allow_recording_commandHelp}
          />
        </Fields>
        <FormFoot
          changed={form.changed || numbers.changed}
          busy={busy}
          onReset={() => {
            form.reset();
            numbers.reset();
          }}
        />
      </form>
    </Card>
  );
}
