import { useQuery } from "@connectrpc/connect-query";
import { AdminService } from "@trunkline/client";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/transport";
import { t } from "../../text/en";
import { admin as a } from "../../text/en/admin";
import { ErrorBanner } from "../../ui/banner";
import { Button } from "../../ui/button";
import { Empty } from "../../ui/empty";
import { Card, Page } from "../../ui/page";
import css from "./admin.module.css";
import { CreateKey, KeyTable } from "./key-parts";

/** The keys of administrators. */
export default function Keys() {
  const [creating, setCreating] = useState(false);
  const { data, error, refetch } = useQuery(AdminService.method.listAdminKeys, {});
  const create = (
    <Button kind="primary" onClick={() => setCreating(true)}>
      <Plus size={15} aria-hidden />
      {a.keys.create}
    </Button>
  );
  return (
    <Page title={t.nav.keys} actions={create}>
      <p className={css.text}>{a.adminKeys.text}</p>
      <ErrorBanner error={error} onRetry={refetch} />
      <Card flush>
        {data?.results.length === 0 ? (
          <Empty icon={KeyRound} title={a.adminKeys.empty}>
            {a.adminKeys.emptyText}
          </Empty>
        ) : (
          <KeyTable
            keys={data?.results ?? []}
            onRevoke={async ({ keyId }) => {
              await api.admin.revokeAdminKey({ keyId });
              await refetch();
            }}
          />
        )}
      </Card>
      {creating && (
        <CreateKey
          admin
          onCreate={async (values) => {
            const { key } = await api.admin.createAdminKey(values);
            void refetch();
            return key;
          }}
          onClose={() => setCreating(false)}
        />
      )}
    </Page>
  );
}
