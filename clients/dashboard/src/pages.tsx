import {
  Activity,
  BookLock,
  ChartNoAxesColumn,
  CircleUser,
  FileUp,
  Gauge,
  KeyRound,
  type LucideIcon,
  Network,
  PhoneCall,
  PhoneOff,
  PhoneOutgoing,
  Rows3,
  ScrollText,
  Server,
  ShieldCheck,
  Webhook,
} from "lucide-react";
import { type ComponentType, lazy } from "react";
import { t } from "./text/en";

/** A page of the dashboard. */
export interface Page {
  /** The pattern of its path. Parameters are in the component's `params`. */
  path: string;
  title: string;
  /** Its icon in the navigation. A page without one is not in the navigation. */
  icon?: LucideIcon;
  group?: "dial" | "admin";
  /** True if only an administrator's key can use it. */
  admin?: boolean;
  /** True if a key that may only read cannot use it. */
  writes?: boolean;
  component: ComponentType<{ params: Record<string, string> }>;
}

/**
 * All pages. A new page is a module with a default export that takes `{ params }`, and one entry here; it is loaded when
 * it is first opened.
 */
export const PAGES: Page[] = [
  { path: "/", title: t.nav.overview, icon: Gauge, group: "dial", component: lazy(() => import("./pages/overview")) },
  { path: "/queues", title: t.nav.queues, icon: Rows3, group: "dial", component: lazy(() => import("./pages/queues")) },
  { path: "/queues/:queueId", title: t.nav.queue, component: lazy(() => import("./pages/queue")) },
  { path: "/live", title: t.nav.live, icon: Activity, group: "dial", component: lazy(() => import("./pages/live")) },
  { path: "/find", title: t.nav.find, icon: PhoneCall, group: "dial", component: lazy(() => import("./pages/find")) },
  { path: "/calls/:callId", title: t.nav.call, component: lazy(() => import("./pages/call")) },
  {
    path: "/quick",
    title: t.nav.quick,
    icon: PhoneOutgoing,
    group: "dial",
    writes: true,
    component: lazy(() => import("./pages/quick")),
  },
  {
    path: "/import",
    title: t.nav.import,
    icon: FileUp,
    group: "dial",
    writes: true,
    component: lazy(() => import("./pages/import")),
  },
  {
    path: "/statistics",
    title: t.nav.statistics,
    icon: ChartNoAxesColumn,
    group: "dial",
    component: lazy(() => import("./pages/admin/statistics")),
  },
  {
    path: "/do-not-call",
    title: t.nav.doNotCall,
    icon: PhoneOff,
    group: "dial",
    component: lazy(() => import("./pages/admin/do-not-call")),
  },
  ...(
    [
      ["clients", t.nav.clients, CircleUser, lazy(() => import("./pages/admin/clients"))],
      ["keys", t.nav.keys, KeyRound, lazy(() => import("./pages/admin/keys"))],
      ["servers", t.nav.servers, Server, lazy(() => import("./pages/admin/servers"))],
      ["policy", t.nav.policy, ShieldCheck, lazy(() => import("./pages/admin/policy"))],
      ["webhooks", t.nav.webhooks, Webhook, lazy(() => import("./pages/admin/webhooks"))],
      ["nodes", t.nav.nodes, Network, lazy(() => import("./pages/admin/nodes"))],
      ["audit", t.nav.audit, ScrollText, lazy(() => import("./pages/admin/audit"))],
    ] as const
  ).map(
    ([name, title, icon, component]): Page => ({
      path: `/admin/${name}`,
      title,
      icon,
      group: "admin",
      admin: true,
      component,
    }),
  ),
  {
    path: "/admin/clients/:clientId",
    title: t.nav.client,
    admin: true,
    component: lazy(() => import("./pages/admin/client")),
  },
  {
    path: "/admin/servers/:code",
    title: t.nav.server,
    admin: true,
    component: lazy(() => import("./pages/admin/server")),
  },
];

/** What only administrators see. */
export const ADMIN_ICON = BookLock;
