/* The console's start: who is signed in, the frame with the navigation, and the page of the present address. */

import { ACTING, enter, useRoute } from "./lib/router.js";
import { get } from "./lib/api.js";
import { wear } from "./lib/look.js";
import { SessionContext, useSessionState } from "./lib/session.js";
import { html, LookContext, render, useEffect, useRef } from "./lib/ui.js";
import { Frame } from "./parts/frame.js";
import { Guard } from "./parts/guard.js";
import { ProblemBox } from "./parts/notices.js";
import { Toasts } from "./parts/toasts.js";
import { LINKS } from "./pages/links.js";
import { SignIn, SignInAgain } from "./pages/sign-in.js";
import { pageOf } from "./pages/table.js";

// Milliseconds for the look of the host.
const LOOK_MS = 3000;

function App({ look }) {
  const session = useSessionState();
  const route = useRoute();
  useFocus(session.user ? route.path : "");
  if (session.asking) return html`<p class="opening" role="status">Opening the console…</p>`;
  if (session.problem && !session.user) {
    return html`<main class="alone"><h1>The console cannot be opened</h1>
      <${ProblemBox} problem=${session.problem} again=${session.ask} />
      ${ACTING && html`<p><button type="button" class="primary" onClick=${() => enter("")}>Back to your organization</button></p>`}</main>`;
  }
  const Link = LINKS[route.parts[0]];
  return html`<${LookContext.Provider} value=${look}><${SessionContext.Provider} value=${session}>
    ${Link ? html`<${Link} key=${route.path} route=${route} />`
      : session.user ? html`<${Signed} key=${session.user.id} route=${route} />` : html`<${SignIn} />`}
    ${session.ended && html`<${SignInAgain} />`}
    <${Toasts} />
  <//><//>`;
}

function Signed({ route }) {
  const page = pageOf(route);
  return html`<${Frame} route=${route} area=${page.area}><${Guard} key=${page.key}>
    <${page.component} route=${route} ...${page.given} /><//><//>`;
}

/** A new page begins at its heading, for readers of screens too; the first page leaves the focus where it is. */
function useFocus(path) {
  const last = useRef("");
  useEffect(() => {
    if (path && last.current && last.current !== path) {
      scrollTo(0, 0);
      /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus({ preventScroll: true });
    }
    last.current = path;
  }, [path]);
}

/** How this host looks. Without an answer the page looks as the suite does, because a look is no reason to wait. */
async function lookOfHost() {
  try {
    const look = await get("/api/whitelabel/public", { host: location.hostname }, AbortSignal.timeout(LOOK_MS), "");
    wear(look);
    return look;
  } catch {
    return null;
  }
}

const root = document.getElementById("app");
const look = await lookOfHost();
root.replaceChildren();
render(html`<${App} look=${look} />`, root);
