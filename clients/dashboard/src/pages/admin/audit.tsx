import { t } from "../../text/en";
import { ComingPage } from "../../ui/page";

export default function Page() {
  return <ComingPage title={t.nav.audit} />;
}
