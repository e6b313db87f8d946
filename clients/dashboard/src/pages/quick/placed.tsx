import { useQuery } from "@connectrpc/connect-query";
import { CallService } from "@trunkline/client";
import { useLiveRefetch } from "../../live/live";
import { quick as q } from "../../text/en/quick";
import { ErrorBanner } from "../../ui/banner";
import { Button, LinkButton } from "../../ui/button";
import { Card } from "../../ui/page";
import { CallStatusBadge, OutcomeBadge } from "../../ui/status";
import css from "../admin/admin.module.css";

/** What becomes of a call that was just placed. */
export function Placed(props: { callId: string; replayed: boolean; onAnother: () => void }) {
  const { callId } = props;
  const { data, error, refetch } = useQuery(CallService.method.getCall, { callId }, { refetchInterval: 2_000 });
  useLiveRefetch(refetch, 300, (event) => event.callId === callId);
  const call = data?.call;
  return (
    <Card title={props.replayed ? q.placedBefore : q.placed}>
      <div className={css.form}>
        <ErrorBanner error={error} onRetry={refetch} />
        <dl className={css.facts} aria-live="polite">
          <div>
            <dt>{q.status}</dt>
            <dd>{call && <CallStatusBadge status={call.status} />}</dd>
          </div>
          {call?.outcome !== undefined && (
            <div>
              <dt>{q.attempt}</dt>
              <dd>
                <OutcomeBadge outcome={call.outcome} />
              </dd>
            </div>
          )}
        </dl>
        <div className={css.links}>
          <LinkButton kind="primary" to={`/calls/${callId}`}>
            {q.open}
          </LinkButton>
          <Button onClick={props.onAnother}>{q.another}</Button>
        </div>
      </div>
    </Card>
  );
}
