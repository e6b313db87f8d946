import { TransportProvider } from "@connectrpc/connect-query";
import { QueryClientProvider } from "@tanstack/react-query";
import { Suspense } from "react";
import { Route, Router, Switch } from "wouter";
import { session } from "./api/session";
import { queryClient, transport } from "./api/transport";
import { Crash } from "./layout/crash";
import { Layout } from "./layout/layout";
import { SignIn } from "./layout/sign-in";
import { PAGES } from "./pages";
import { useHashPath } from "./router";
import { useStore } from "./store";
import { t } from "./text/en";
import { LinkButton } from "./ui/button";
import { Empty } from "./ui/empty";
import { Page } from "./ui/page";
import { Toasts } from "./ui/toast";

/** The dashboard: the page that the address names, or the page that asks for a key. */
export function App() {
  const { state, who } = useStore(session);
  return (
    <TransportProvider transport={transport}>
      <QueryClientProvider client={queryClient}>
        <Router hook={useHashPath}>
          {state === "open" ? (
            <Layout>
              <Switch>
                {PAGES.map((page) => (
                  <Route key={page.path} path={page.path}>
                    {(params) => (
                      <Crash key={JSON.stringify(params)}>
                        <Suspense fallback={null}>
                          {page.admin && !who?.admin ? (
                            <Page title={page.title}>
                              <Empty title={t.errors.adminOnly}>{t.errors.adminOnlyText}</Empty>
                            </Page>
                          ) : (
                            <page.component params={params as Record<string, string>} />
                          )}
                        </Suspense>
                      </Crash>
                    )}
                  </Route>
                ))}
                <Route>
                  <Page title={t.errors.missing}>
                    <Empty title={t.errors.missing} actions={<LinkButton to="/">{t.errors.toOverview}</LinkButton>}>
                      {t.errors.missingText}
                    </Empty>
                  </Page>
                </Route>
              </Switch>
            </Layout>
          ) : (
            <SignIn />
          )}
        </Router>
        <Toasts />
      </QueryClientProvider>
    </TransportProvider>
  );
}
