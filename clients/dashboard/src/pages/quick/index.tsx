import { useScope, useWho } from "../../api/hooks";
import { t } from "../../text/en";
import { quick as q } from "../../text/en/quick";
import { Banner } from "../../ui/banner";
import { Page } from "../../ui/page";
import css from "../admin/admin.module.css";
import { QuickForm } from "./form";

/** The page that places one call. */
export default function Quick() {
  const who = useWho();
  const { clientId } = useScope();
  return (
    <Page title={t.nav.quick}>
      {who.writes ? (
        <>
          <p className={css.text}>{q.text}</p>
          <QuickForm key={`${clientId}`} />
        </>
      ) : (
        <Banner tone="note">{t.session.readOnly}</Banner>
      )}
    </Page>
  );
}
