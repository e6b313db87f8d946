import { useQuery } from "@connectrpc/connect-query";
import { AdminService } from "@trunkline/client";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "../../../api/transport";
import { admin as a } from "../../../text/en/admin";
import { ErrorBanner } from "../../../ui/banner";
import { Button } from "../../../ui/button";
import { Empty } from "../../../ui/empty";
import { Card } from "../../../ui/page";
import css from "../admin.module.css";
import { CreateKey, KeyTable } from "../key-parts";

/** The API keys of a client. */
export function ClientKeys({ clientId }: { clientId: bigint }) {
  const [creating, setCreating] = useState(false);
  const { data, error, refetch } = useQuery(AdminService.method.listKeys, { clientId });
  return (
    <Card
      flush
      title={a.keys.title}
      aside={
        <Button kind="primary" onClick={() => setCreating(true)}>
          <Plus size={15} aria-hidden />
          {a.keys.create}
        </Button>
      }
    >
      <p className={css.cardText}>{a.keys.text}</p>
      <ErrorBanner error={error} onRetry={refetch} />
      {data?.results.length === 0 ? (
        <Empty icon={KeyRound} title={a.keys.empty}>
          {a.keys.emptyText}
        </Empty>
      ) : (
        <KeyTable
          keys={data?.results ?? []}
          onRevoke={async ({ keyId }) => {
            await api.admin.revokeKey({ clientId, keyId });
            await refetch();
          }}
        />
      )}
      {creating && (
        <CreateKey
          onCreate={async (values) => {
            const { key } = await api.admin.createKey({ ...values, clientId });
            void refetch();
            return key;
          }}
          onClose={() => setCreating(false)}
        />
      )}
    </Card>
  );
}
