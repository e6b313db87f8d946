import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { useQuery } from "@connectrpc/connect-query";
import {
  type CallingWindows,
  CallingWindowsSchema,
  Delivery,
  type Queue,
  type QueueRules,
  QueueService,
  type RetryRule,
  SetQueueRulesRequestSchema,
  UpdateQueueRequestSchema,
} from "@trunkline/client";
import { type FormEvent, useEffect, useState } from "react";
import { useWho } from "../../api/hooks";
import { api } from "../../api/transport";
import { Field, Fields } from "../../forms/field";
import { useForm } from "../../forms/form";
import { useFilters } from "../../router";
import { t } from "../../text/en";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Buttons } from "../../ui/dialog";
import { Card } from "../../ui/page";
import { say } from "../../ui/toast";
import css from "./queue.module.css";
import { RetryRules } from "./retry-rules";
import { Windows } from "./windows";

/** Seconds between two attempts of a call, if no one has said otherwise. */
const DEFAULT_GAP = 300;

const text = (value: number | undefined) => (value === undefined ? "" : `${value}`);

/** The rules of a queue, which can be changed while it dials. */
export function Rules({ queue, onChange }: { queue: Queue; onChange: () => void }) {
  const { data, error, refetch } = useQuery(QueueService.method.getQueueRules, { queueId: queue.queueId });
  return (
    <Card title={t.rules.title} aside={t.rules.text}>
      <ErrorBanner error={error} onRetry={() => refetch()} />
      {data?.rules && (
        <RulesForm
          queue={queue}
          rules={data.rules}
          onSaved={async () => {
            await refetch();
            onChange();
          }}
        />
      )}
    </Card>
  );
}

function pacingOf(rules: QueueRules) {
  return {
    priority: text(rules.priority),
    weight: text(rules.weight),
    max_live_calls: text(rules.maxLiveCalls),
    calls_per_second: text(rules.callsPerSecond),
    max_call_seconds: text(rules.maxCallSeconds),
    delivery: text(rules.delivery ?? Delivery.AT_MOST_ONCE),
  };
}

function retriesOf(queue: Queue) {
  return { retry: queue.retry ?? true, retry_count: text(queue.retryCount), retry_gap: text(queue.retryGap) };
}

function RulesForm({ queue, rules, onSaved }: { queue: Queue; rules: QueueRules; onSaved: () => Promise<void> }) {
  const { writes } = useWho();
  const [{ field }] = useFilters();
  const pacing = useForm(SetQueueRulesRequestSchema, pacingOf(rules));
  const retries = useForm(UpdateQueueRequestSchema, retriesOf(queue));
  const [retryRules, setRetryRules] = useState<RetryRule[]>(rules.retryRules);
  const [windows, setWindows] = useState<CallingWindows | undefined>(rules.windows);
  const [touched, setTouched] = useState({ retryRules: false, windows: false });
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const changed = pacing.changed || retries.changed || touched.retryRules || touched.windows;

  useEffect(() => {
    if (field === "windows") document.getElementById("windows")?.scrollIntoView({ block: "center" });
  }, [field]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const paced = pacing.submit();
    const retried = retries.submit();
    // What is wrong in a rule or window is not in the values, but shown at its field.
    const wrong = (event.target as HTMLElement).querySelector<HTMLElement>('[aria-invalid="true"]');
    if (!paced || !retried || wrong) {
      wrong?.focus();
      return;
    }
    setBusy(true);
    setError(undefined);
    try {
      const mask = [...pacing.changes];
      if (touched.retryRules) mask.push("retry_rules");
      if (touched.windows) mask.push("windows");
      if (mask.length > 0) {
        const request: MessageInitShape<typeof SetQueueRulesRequestSchema> = {
          queueId: queue.queueId,
          updateMask: mask,
        };
        for (const name of pacing.changes) {
          const local = pacing.schema.fields.find((it) => it.name === name)?.localName ?? name;
          Object.assign(request, { [local]: paced[local] });
        }
        if (touched.retryRules) request.retryRules = retryRules;
        if (touched.windows && windows && windows.windows.length > 0) request.windows = windows;
        await api.queues.setQueueRules(request);
      }
      if (retries.changed) {
        // Only what was changed: to set `retry` again would give calls that failed their further attempts.
        const { retry, retryCount, retryGap } = retried as { retry: boolean; retryCount?: number; retryGap?: number };
        await api.queues.updateQueue({
          queueId: queue.queueId,
          retry: retries.changes.includes("retry") ? retry : undefined,
          retryCount: retries.changes.includes("retry_count") ? (retryCount ?? 0) : undefined,
          retryGap: retries.changes.includes("retry_gap") ? (retryGap ?? DEFAULT_GAP) : undefined,
        });
      }
      pacing.reset(pacing.values);
      retries.reset(retries.values);
      setTouched({ retryRules: false, windows: false });
      say(t.rules.saved);
      await onSaved();
    } catch (failure) {
      setError(failure);
      pacing.refuse(failure);
      retries.refuse(failure);
    }
    setBusy(false);
  };

  const undo = () => {
    pacing.reset();
    retries.reset();
    setRetryRules(rules.retryRules);
    setWindows(rules.windows);
    setTouched({ retryRules: false, windows: false });
    setError(undefined);
  };

  return (
    <form className={css.form} onSubmit={submit} noValidate>
      {!writes && <Banner tone="note">{t.rules.readOnly}</Banner>}
      <fieldset disabled={!writes} className={css.form}>
        <div className={css.section}>
          <Fields title={t.rules.pacing}>
            <Field
              form={pacing}
              name="max_live_calls"
              label={t.rules.maxLive}
              help={t.rules.maxLiveHelp}
              placeholder={t.form.noLimit}
              autoFocus={field === "max_live_calls"}
            />
            <Field
              form={pacing}
              name="calls_per_second"
              label={t.rules.rate}
              help={t.rules.rateHelp}
              placeholder={t.form.noLimit}
              autoFocus={field === "calls_per_second"}
            />
            <Field
              form={pacing}
              name="max_call_seconds"
              label={t.rules.longest}
              help={t.rules.longestHelp}
              placeholder={t.form.noLimit}
            />
            <Field form={pacing} name="priority" label={t.rules.priority} help={t.rules.priorityHelp} />
            <Field form={pacing} name="weight" label={t.rules.weight} help={t.rules.weightHelp} />
          </Fields>
        </div>
        <div className={css.section} id="windows">
          <h3>{t.rules.windows}</h3>
          <p>{t.rules.windowsHelp}</p>
          <Windows
            value={windows ?? create(CallingWindowsSchema)}
            onChange={(value) => {
              setWindows(value);
              setTouched((before) => ({ ...before, windows: true }));
            }}
          />
        </div>
        <div className={css.section}>
          <Fields title={t.rules.retries}>
            <Field form={retries} name="retry" label={t.rules.retry} help={t.rules.retryHelp} />
            <Field form={retries} name="retry_count" label={t.rules.retryCount} help={t.rules.retryCountHelp} />
            <Field form={retries} name="retry_gap" label={t.rules.retryGap} autoFocus={field === "retry_gap"} />
          </Fields>
          <h3>{t.rules.retryRules}</h3>
          <p>{t.rules.retryRulesHelp}</p>
          <RetryRules
            value={retryRules}
            onChange={(value) => {
              setRetryRules(value);
              setTouched((before) => ({ ...before, retryRules: true }));
            }}
          />
          <Fields>
            <Field
              form={pacing}
              name="delivery"
              label={t.rules.delivery}
              help={t.rules.deliveryHelp}
              options={[Delivery.AT_MOST_ONCE, Delivery.AT_LEAST_ONCE].map((it) => ({
                value: `${it}`,
                label: t.rules.deliveries[it as 1 | 2],
              }))}
            />
          </Fields>
        </div>
      </fieldset>
      <ErrorBanner error={error} />
      {writes && (
        <Buttons>
          <Button disabled={!changed || busy} onClick={undo}>
            {t.actions.undo}
          </Button>
          <Button kind="primary" type="submit" disabled={!changed || busy}>
            {busy ? t.actions.working : t.rules.save}
          </Button>
        </Buttons>
      )}
    </form>
  );
}
