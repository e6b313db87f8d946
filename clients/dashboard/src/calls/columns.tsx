import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Call, CallStatus } from "@trunkline/client";
import { t } from "../text/en";
import { CallStatusBadge, OutcomeBadge } from "../ui/status";
import type { Column } from "../ui/table";
import { duration, Time } from "../ui/time";

/** Returns the number of the called person, or else what is dialed. */
export function callNumber(call: Pick<Call, "contactNumber" | "channel">): string {
  if (call.contactNumber !== undefined) return `${call.contactNumber}`;
  return call.channel;
}

const LIVE = [CallStatus.DIALING, CallStatus.RINGING, CallStatus.ANSWERED];

/** Returns the seconds that a call was talked, if it was. */
function talked(call: Call): string {
  if (call.billableSeconds !== undefined) return duration(call.billableSeconds);
  if (call.answeredAt && call.endedAt)
    return duration((timestampMs(call.endedAt) - timestampMs(call.answeredAt)) / 1000);
  return LIVE.includes(call.status) ? "…" : t.time.none;
}

const LAST: Column<Call> = {
  id: "last",
  title: t.queue.last,
  width: "100px",
  wide: true,
  cell: (call) => <Time at={call.startedAt} />,
};

/** The columns of a list of calls. `more` takes the place of the time of the last attempt. */
export function callColumns(more?: Column<Call>[]): Column<Call>[] {
  return [
    { id: "number", title: t.queue.number, width: "minmax(98px, 1.1fr)", cell: callNumber },
    {
      id: "status",
      title: t.queues.status,
      width: "minmax(88px, 150px)",
      cell: (call) => <CallStatusBadge status={call.status} />,
    },
    {
      id: "outcome",
      title: t.queue.outcome,
      width: "minmax(104px, 150px)",
      wide: true,
      cell: (call) => <OutcomeBadge outcome={call.outcome} />,
    },
    { id: "attempts", title: t.queue.attempts, width: "34px", align: "end", cell: (call) => call.attempts },
    { id: "channel", title: t.queue.channel, width: "minmax(110px, 1.6fr)", wide: true, cell: (call) => call.channel },
    {
      id: "server",
      title: t.queue.server,
      width: "minmax(70px, 110px)",
      wide: true,
      cell: (call) => call.asteriskServerCode,
    },
    ...(more ?? [LAST]),
    { id: "talked", title: t.queue.duration, width: "46px", align: "end", cell: talked },
  ];
}
