import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type PlatformPolicy, SetPlatformPolicyRequestSchema } from "@trunkline/client";
import { api } from "../../api/transport";
import { Field, Fields } from "../../forms/field";
import { useFollow } from "../../forms/follow";
import { useForm } from "../../forms/form";
import { KillSwitch } from "../../layout/kill-switch";
import { t } from "../../text/en";
import { platform } from "../../text/en/platform";
import { ErrorBanner } from "../../ui/banner";
import { Card, Page } from "../../ui/page";
import { useSend } from "../../ui/send";
import { Time } from "../../ui/time";
import { say } from "../../ui/toast";
import css from "./admin.module.css";
import { FormFoot } from "./form-foot";

const p = platform.policy;

/** What holds for all clients: the kill switch, and the numbers that no client may dial. */
export default function PolicyPage() {
  const policy = useQuery(AdminService.method.getPlatformPolicy, {}, { refetchInterval: 5_000 });
  const { data } = useQuery(AdminService.method.getKillSwitch, {}, { refetchInterval: 5_000 });
  const state = data?.killSwitch;
  return (
    <Page title={t.nav.policy}>
      <p className={css.text}>{p.text}</p>
      <Card title={p.killSwitch} aside={<KillSwitch />}>
        <div className={css.form}>
          <p className={css.text}>{p.killSwitchText}</p>
          {state?.changedAt && (
            <dl className={css.facts}>
              <div>
                <dt>{p.lastSet}</dt>
                <dd>
                  <Time at={state.changedAt} />
                </dd>
              </div>
              {state.reason && (
                <div>
                  <dt>{p.reason}</dt>
                  <dd>{state.reason}</dd>
                </div>
              )}
            </dl>
          )}
        </div>
      </Card>
      <ErrorBanner error={policy.error} onRetry={policy.refetch} />
      {policy.data?.policy && <Numbers policy={policy.data.policy} onChange={policy.refetch} />}
    </Page>
  );
}

function written(policy: PlatformPolicy) {
  return { denied_prefixes: policy.deniedPrefixes, allow_premium_rate: policy.allowPremiumRate ?? false };
}

function Numbers({ policy, onChange }: { policy: PlatformPolicy; onChange: () => void }) {
  const form = useForm(SetPlatformPolicyRequestSchema, written(policy));
  useFollow(form, written(policy));
  const { busy, error, run } = useSend();
  const submit = async () => {
    const values = form.submit();
    if (!values) return;
    const answer = await run(() => api.admin.setPlatformPolicy(values), form);
    if (!answer?.policy) return;
    form.reset(written(answer.policy));
    say(p.saved);
    onChange();
  };
  return (
    <Card title={p.numbers}>
      <form
        noValidate
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <ErrorBanner error={error} />
        <Fields single>
          <Field form={form} name="denied_prefixes" label={p.denied} help={p.deniedHelp} rows={8} />
          <Field form={form} name="allow_premium_rate" label={p.premium} help={p.premiumHelp} />
        </Fields>
        <FormFoot changed={form.changed} busy={busy} onReset={() => form.reset()} />
      </form>
    </Card>
  );
}
