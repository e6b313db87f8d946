import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { type Call, CallSchema, CallService, CallStatus } from "@trunkline/client";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { useClientName, useWho } from "../../api/hooks";
import { baseUrl } from "../../api/session";
import { callNumber } from "../../calls/columns";
import { EndCall } from "../../calls/end";
import { useLiveRefetch } from "../../live/live";
import { t } from "../../text/en";
import { ErrorBanner } from "../../ui/banner";
import { Button, LinkButton } from "../../ui/button";
import { CopyButton } from "../../ui/copy";
import { Empty } from "../../ui/empty";
import { Card, Page } from "../../ui/page";
import { CallStatusBadge, OutcomeBadge } from "../../ui/status";
import { duration, Time } from "../../ui/time";
import css from "./call.module.css";
import { RetryCall } from "./dialogs";
import { EditCall } from "./edit";
import { Events } from "./events";
import { Attempts } from "./timeline";

const WAITS = [CallStatus.QUEUED, CallStatus.RETRYING];
const LIVE = [CallStatus.DIALING, CallStatus.RINGING, CallStatus.ANSWERED];
const FAILED = [CallStatus.FAILED, CallStatus.UNKNOWN];

/** One call: what it is, its attempts on one time axis, and everything that happened to it. */
export default function CallPage({ params }: { params: Record<string, string> }) {
  const callId = params.callId ?? "";
  const { data, error, refetch } = useQuery(CallService.method.getCall, { callId });
  useLiveRefetch(refetch, 300, (event) => event.callId === callId);
  const call = data?.call;
  if (call) return <Loaded call={call} error={error} refetch={() => refetch()} />;
  if (!error) return null;
  const { code } = ConnectError.from(error);
  return (
    <Page title={t.nav.call}>
      {code === Code.NotFound || code === Code.InvalidArgument ? (
        <Empty title={t.callPage.missing} actions={<LinkButton to="/find">{t.callPage.find}</LinkButton>}>
          {t.callPage.missingText}
        </Empty>
      ) : (
        <ErrorBanner error={error} onRetry={() => refetch()} />
      )}
    </Page>
  );
}

/** The command that fetches a call. The key is not in it, because what is copied is often passed on. */
function curl(callId: string): string {
  return `curl -H "X-API-KEY: $KEY" '${baseUrl}calling/api/v1/calls/${callId}'`;
}

function Loaded({ call, error, refetch }: { call: Call; error: unknown; refetch: () => void }) {
  const who = useWho();
  const [open, setOpen] = useState<"end" | "edit" | "retry">();
  const number = callNumber(call);
  const close = () => {
    setOpen(undefined);
    refetch();
  };
  const waits = WAITS.includes(call.status);
  return (
    <Page
      title={t.callPage.title(number)}
      subtitle={
        <>
          <CallStatusBadge status={call.status} />
          {call.outcome !== undefined && call.status !== CallStatus.COMPLETED && (
            <OutcomeBadge outcome={call.outcome} />
          )}
          {call.hangupCause !== undefined && (
            <span>{t.callPage.cause(call.hangupCauseText ?? "", call.hangupCause)}</span>
          )}
        </>
      }
      actions={
        <>
          <CopyButton
            label={t.callPage.copyJsonLabel}
            text={() => JSON.stringify(toJson(CallSchema, call, { useProtoFieldName: true }), null, 2)}
          >
            {t.callPage.copyJson}
          </CopyButton>
          <CopyButton label={t.callPage.copyCurlLabel} text={curl(call.callId)}>
            {t.callPage.copyCurl}
          </CopyButton>
          {who.writes && FAILED.includes(call.status) && (
            <Button kind="primary" onClick={() => setOpen("retry")}>
              {t.callPage.retry}
            </Button>
          )}
          {who.writes && waits && <Button onClick={() => setOpen("edit")}>{t.callPage.edit}</Button>}
          {who.writes && (waits || LIVE.includes(call.status)) && (
            <Button kind="danger" onClick={() => setOpen("end")}>
              {call.status === CallStatus.ANSWERED ? t.callPage.hangUp : t.callPage.cancel}
            </Button>
          )}
        </>
      }
    >
      <ErrorBanner error={error} onRetry={refetch} />
      <Card title={t.callPage.timeline}>
        <Attempts call={call} />
      </Card>
      <div className={css.columns}>
        <Card title={t.callPage.events}>
          <Events call={call} />
        </Card>
        <Card title={t.callPage.facts}>
          <Facts call={call} />
        </Card>
      </div>
      {open === "end" && <EndCall callId={call.callId} number={number} status={call.status} onClose={close} />}
      {open === "retry" && <RetryCall call={call} number={number} onClose={close} />}
      {open === "edit" && <EditCall call={call} onClose={close} />}
    </Page>
  );
}

function Facts({ call }: { call: Call }) {
  const clientName = useClientName();
  const labels = Object.entries(call.labels);
  return (
    <dl className={css.facts}>
      <Fact name={t.callPage.callId}>
        <code>{call.callId}</code>
        <CopyButton text={call.callId} label={t.callPage.copyId} />
      </Fact>
      {call.contactNumber !== undefined && (
        <Fact name={t.callPage.number}>
          {`${call.contactNumber}`} <Link to={`/find?q=${call.contactNumber}`}>{t.callPage.history}</Link>
        </Fact>
      )}
      <Fact name={t.callPage.queue}>
        <Link to={`/queues/${call.queueId}`}>{`${call.queueId}`}</Link>
      </Fact>
      {call.batchId !== undefined && <Fact name={t.callPage.batch}>{`${call.batchId}`}</Fact>}
      {call.clientId !== undefined && <Fact name={t.callPage.client}>{clientName(call.clientId)}</Fact>}
      <Fact name={t.callPage.channel}>
        <code>{call.channel}</code>
      </Fact>
      <Fact name={t.callPage.server}>{call.asteriskServerCode}</Fact>
      {call.did && <Fact name={t.callPage.callerId}>{call.did}</Fact>}
      {call.actionId && <Fact name={t.callPage.actionId}>{call.actionId}</Fact>}
      {call.channelId && (
        <Fact name={t.callPage.channelId}>
          <code>{call.channelId}</code>
        </Fact>
      )}
      {call.project && <Fact name={t.callPage.project}>{call.project}</Fact>}
      {labels.length > 0 && (
        <Fact name={t.callPage.labels}>
          {labels.map(([key, value]) => (
            <Link key={key} className={css.label} to={`/find?${new URLSearchParams({ q: `${key}:${value}` })}`}>
              {key}:{value}
            </Link>
          ))}
        </Fact>
      )}
      {call.timeZone && <Fact name={t.callPage.zone}>{call.timeZone}</Fact>}
      <Fact name={t.callPage.recording}>
        {call.recordingPath ? (
          <>
            <code>{call.recordingPath}</code>
            <CopyButton text={call.recordingPath} label={t.callPage.recordingCopy} />
          </>
        ) : (
          t.callPage.noRecording
        )}
      </Fact>
      <Fact name={t.callPage.created}>
        <Time at={call.createdAt} />
      </Fact>
      {WAITS.includes(call.status) && (
        <Fact name={t.callPage.due}>
          <Time at={call.dueAt} />
        </Fact>
      )}
      <Fact name={t.callPage.deadline}>{call.deadline ? <Time at={call.deadline} /> : t.callPage.noDeadline}</Fact>
      {call.endedAt && (
        <Fact name={t.callPage.ended}>
          <Time at={call.endedAt} />
        </Fact>
      )}
      {call.billableSeconds !== undefined && <Fact name={t.callPage.talked}>{duration(call.billableSeconds)}</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
