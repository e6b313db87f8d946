import { useQuery } from "@connectrpc/connect-query";
import { AdminService, type Webhook } from "@trunkline/client";
import { Plus, Webhook as WebhookIcon } from "lucide-react";
import { useState } from "react";
import { useClientName, useScope } from "../../api/hooks";
import { api } from "../../api/transport";
import { t } from "../../text/en";
import { webhooks as w } from "../../text/en/webhooks";
import { ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Confirm } from "../../ui/confirm";
import { Empty } from "../../ui/empty";
import { Card, Page } from "../../ui/page";
import { Badge } from "../../ui/status";
import { Time } from "../../ui/time";
import css from "./admin.module.css";
import { CreateWebhook } from "./webhooks/create";
import { DeadLetters } from "./webhooks/dead-letters";
import { RotateSecret } from "./webhooks/rotate";
import { TestWebhook } from "./webhooks/test";

type Doing = "test" | "rotate" | "dead" | "remove";

/** The URLs to which the events of clients are posted. */
export default function Webhooks() {
  const scope = useScope();
  const [creating, setCreating] = useState(false);
  const { data, error, refetch } = useQuery(AdminService.method.listWebhooks, scope, { refetchInterval: 5_000 });
  const create = (
    <Button kind="primary" onClick={() => setCreating(true)}>
      <Plus size={15} aria-hidden />
      {w.create}
    </Button>
  );
  return (
    <Page title={t.nav.webhooks} actions={create}>
      <p className={css.text}>{w.text}</p>
      <ErrorBanner error={error} onRetry={refetch} />
      {data?.results.map((webhook) => (
        <OneWebhook key={`${webhook.webhookId}`} webhook={webhook} onChange={refetch} />
      ))}
      {data?.results.length === 0 && (
        <Card label={t.nav.webhooks}>
          <Empty icon={WebhookIcon} title={w.empty} actions={create}>
            {w.emptyText}
          </Empty>
        </Card>
      )}
      {creating && <CreateWebhook onChange={refetch} onClose={() => setCreating(false)} />}
    </Page>
  );
}

function OneWebhook({ webhook, onChange }: { webhook: Webhook; onChange: () => void }) {
  const clientName = useClientName();
  const [doing, setDoing] = useState<Doing>();
  const { webhookId } = webhook;
  const close = () => setDoing(undefined);
  const button = (action: Doing, text: string) => (
    <Button small onClick={() => setDoing(action)} aria-label={`${text} ${w.of(webhook.url)}`}>
      {text}
    </Button>
  );
  return (
    <Card title={<span className={css.wrap}>{webhook.url}</span>} label={webhook.url}>
      <div className={css.form}>
        <dl className={css.facts}>
          <div>
            <dt>{w.state}</dt>
            <dd>
              <State webhook={webhook} />
            </dd>
          </div>
          <div>
            <dt>{w.client}</dt>
            <dd>{clientName(webhook.clientId)}</dd>
          </div>
          <div>
            <dt>{w.events}</dt>
            <dd title={webhook.events.map((it) => t.eventType[it]).join(", ")}>
              {webhook.events.length === 0 ? w.allEvents : w.eventCount(webhook.events.length)}
            </dd>
          </div>
          <div>
            <dt>{w.delivered}</dt>
            <dd>{webhook.deliveredAt ? <Time at={webhook.deliveredAt} relative /> : t.time.never}</dd>
          </div>
          {webhook.oldSecretUntil && (
            <div>
              <dt>{w.oldUntil}</dt>
              <dd>
                <Time at={webhook.oldSecretUntil} />
              </dd>
            </div>
          )}
        </dl>
        {webhook.lastError && webhook.failures > 0 && (
          <p className={css.text}>
            {w.failures(webhook.failures)}: {webhook.lastError}
          </p>
        )}
        <div className={css.sub}>
          {button("test", w.test)}
          {button("rotate", w.rotate)}
          {button("dead", webhook.deadLetters > 0n ? w.deadCount(webhook.deadLetters) : w.deadLetters)}
          {button("remove", w.remove)}
        </div>
      </div>
      {doing === "test" && <TestWebhook webhookId={webhookId} onClose={close} />}
      {doing === "rotate" && <RotateSecret webhookId={webhookId} onChange={onChange} onClose={close} />}
      {doing === "dead" && <DeadLetters webhook={webhook} onChange={onChange} onClose={close} />}
      {doing === "remove" && (
        <Confirm
          title={w.removeTitle}
          action={w.remove}
          danger
          run={async () => {
            await api.admin.deleteWebhook({ webhookId });
            onChange();
          }}
          onClose={close}
        >
          <p>{webhook.url}</p>
          <p>{w.removeText}</p>
        </Confirm>
      )}
    </Card>
  );
}

function State({ webhook }: { webhook: Webhook }) {
  if (webhook.disabled) return <Badge tone="Bad">{w.states.disabled}</Badge>;
  if (webhook.failingSince || webhook.failures > 0) {
    return (
      <Badge tone="Warn">
        {w.states.failing}
        {webhook.failingSince && (
          <>
            {" "}
            {w.since} <Time at={webhook.failingSince} relative />
          </>
        )}
      </Badge>
    );
  }
  return webhook.deliveredAt ? (
    <Badge tone="Good">{w.states.working}</Badge>
  ) : (
    <Badge tone="Idle">{w.states.unused}</Badge>
  );
}
