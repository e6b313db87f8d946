import { DialFormat, type Server } from "@trunkline/client";
import { Field, Fields } from "../../../forms/field";
import type { Form, Typed } from "../../../forms/form";
import { useFilter } from "../../../router";
import { platform } from "../../../text/en/platform";

const s = platform.server;
const FORMATS = [DialFormat.AS_GIVEN, DialFormat.E164, DialFormat.DIGITS, DialFormat.INTERNATIONAL].map((it) => ({
  value: `${it}`,
  label: s.dial_formats[it],
}));

/** Writes a server as a form takes it. Without one, all fields have their defaults. */
export function written(server?: Server): Record<string, Typed> {
  return {
    host: server?.host ?? "",
    port: `${server?.port ?? ""}`,
    username: server?.username ?? "",
    secret: "",
    tls: server?.tls ?? false,
    dial_template: server?.dialTemplate ?? "",
    max_channels: `${server?.maxChannels ?? ""}`,
    calls_per_second: `${server?.callsPerSecond ?? ""}`,
    max_call_seconds: `${server?.maxCallSeconds ?? ""}`,
    recording_dirs: server?.recordingDirs ?? [],
    country_code: server?.countryCode ?? "",
    national_prefix: server?.nationalPrefix ?? "",
    international_prefixes: server?.internationalPrefixes ?? [],
    service_codes: server?.serviceCodes ?? [],
    dial_format: `${server?.dialFormat || DialFormat.AS_GIVEN}`,
  };
}

/** How the server is reached. */
export function Connection({ form, stored }: { form: Form; stored?: boolean }) {
  return (
    <Fields title={s.connection}>
      <Field form={form} name="host" label={s.host} help={s.hostHelp} />
      <Field form={form} name="port" label={s.port} help={s.portHelp} />
      <Field form={form} name="username" label={s.username} help={s.usernameHelp} />
      <Field
        form={form}
        name="secret"
        type="password"
        label={s.secret}
        help={stored ? `${s.secretHelp} ${s.secretKeep}` : s.secretHelp}
      />
      <Field form={form} name="tls" label={s.tls} />
    </Fields>
  );
}

/** How much is dialed through the server. */
export function Dialing({ form, all }: { form: Form; all?: boolean }) {
  const [field] = useFilter("field");
  return (
    <Fields title={s.dialing}>
      <Field
        form={form}
        name="max_channels"
        label={s.max_channels}
        help={s.max_channelsHelp}
        autoFocus={field === "max_channels"}
      />
      <Field form={form} name="calls_per_second" label={s.calls_per_second} help={s.calls_per_secondHelp} />
      <Field form={form} name="dial_template" label={s.dial_template} help={s.dial_templateHelp} />
      {all && (
        <>
          <Field form={form} name="max_call_seconds" label={s.max_call_seconds} help={s.max_call_secondsHelp} />
          <Field form={form} name="recording_dirs" label={s.recording_dirs} help={s.recording_dirsHelp} rows={2} />
        </>
      )}
    </Fields>
  );
}

/** What numbers mean on the server, and how they go out. */
export function Numbers({ form, all }: { form: Form; all?: boolean }) {
  return (
    <Fields title={s.numbers}>
      <Field form={form} name="country_code" label={s.country_code} help={s.country_codeHelp} />
      <Field form={form} name="national_prefix" label={s.national_prefix} help={s.national_prefixHelp} />
      {all && (
        <>
          <Field
            form={form}
            name="international_prefixes"
            label={s.international_prefixes}
            help={s.international_prefixesHelp}
            rows={2}
          />
          <Field form={form} name="service_codes" label={s.service_codes} help={s.service_codesHelp} rows={2} />
        </>
      )}
      <Field form={form} name="dial_format" label={s.dial_format} help={s.dial_formatHelp} options={FORMATS} />
    </Fields>
  );
}
