/* The console's start: who is signed in, the frame with the navigation, and the page of the present address. */

import { useRoute } from "./lib/router.js";
import { SessionContext, useSessionState } from "./lib/session.js";
import { html, render, useEffect, useRef } from "./lib/ui.js";
import { Frame } from "./parts/frame.js";
import { Guard } from "./parts/guard.js";
import { ProblemBox } from "./parts/notices.js";
import { Toasts } from "./parts/toasts.js";
import { pageOf } from "./pages/table.js";
import { SignIn } from "./pages/sign-in.js";

function App() {
  const session = useSessionState();
  const route = useRoute();
  const page = pageOf(route);
  useFocus(session.user ? route.path : "");
  if (session.asking) return html`<p class="opening" role="status">Opening the console…</p>`;
  if (session.problem) {
    return html`<main class="alone"><${ProblemBox} problem=${session.problem} again=${session.ask} /></main>`;
  }
  return html`<${SessionContext.Provider} value=${session}>
    ${session.user
      ? html`<${Frame} route=${route} area=${page.area}><${Guard} key=${page.key}>
        <${page.component} route=${route} ...${page.given} /><//><//>`
      : html`<${SignIn} />`}
    <${Toasts} />
  <//>`;
}

/** A new page begins at its heading, for readers of screens too; the first page leaves the focus where it is. */
function useFocus(path) {
  const last = useRef("");
  useEffect(() => {
    if (path && last.current && last.current !== path) {
      scrollTo(0, 0);
      document.querySelector("main h1")?.focus({ preventScroll: true });
    }
    last.current = path;
  }, [path]);
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
