import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Call, UpdateCallRequestSchema } from "@trunkline/client";
import { type FormEvent, useState } from "react";
import { serverNow } from "../../api/session";
import { api } from "../../api/transport";
import { Field, Fields } from "../../forms/field";
import { useForm } from "../../forms/form";
import { readTime, writeTime } from "../../forms/when";
import { t } from "../../text/en";
import { Banner, ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Buttons, Dialog } from "../../ui/dialog";
import { useZone } from "../../ui/time";
import { say } from "../../ui/toast";
import css from "./call.module.css";

/** Changes a call that waits. */
export function EditCall({ call, onClose }: { call: Call; onClose: () => void }) {
  const zone = useZone();
  const future = call.dueAt && timestampMs(call.dueAt) > serverNow() ? call.dueAt : undefined;
  const form = useForm(UpdateCallRequestSchema, {
    dial_next: false,
    not_before: writeTime(future, zone),
    deadline: writeTime(call.deadline, zone),
    retry: "",
  });
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const both = form.values.dial_next === true && form.values.not_before !== "";

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const values = form.submit();
    if (!values || both || !form.changed) return;
    setBusy(true);
    try {
      await api.calls.updateCall({
        callId: call.callId,
        dialNext: form.values.dial_next === true,
        notBefore: form.changes.includes("not_before") ? readTime(form.values.not_before, zone) : undefined,
        deadline: form.changes.includes("deadline") ? readTime(form.values.deadline, zone) : undefined,
        retry: values.retry as number | undefined,
        updateMask: form.changes,
      });
      say(t.callPage.saved);
      onClose();
    } catch (failure) {
      setError(failure);
      form.refuse(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={t.callPage.editTitle} onClose={onClose}>
      <form onSubmit={submit} noValidate className={css.form}>
        <Fields single>
          <Field form={form} name="dial_next" label={t.callPage.dialNext} help={t.callPage.dialNextHelp} />
          <Field
            form={form}
            name="not_before"
            type="datetime-local"
            label={t.callPage.notBefore}
            help={t.callPage.notBeforeHelp}
          />
          <Field
            form={form}
            name="deadline"
            type="datetime-local"
            label={t.callPage.deadline}
            help={t.callPage.deadlineHelp}
          />
          <Field form={form} name="retry" label={t.callPage.retries} help={t.callPage.retriesHelp} />
        </Fields>
        {both && <Banner tone="warn">{t.callPage.both}</Banner>}
        <ErrorBanner error={error} />
        <Buttons>
          <Button onClick={onClose}>{t.actions.back}</Button>
          <Button kind="primary" type="submit" disabled={busy || both || !form.changed}>
            {busy ? t.actions.working : t.actions.save}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  );
}
