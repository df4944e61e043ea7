/* The frame of every page: skip link, organization, live state, navigation, sign-out. */

import { useLiveState } from "../lib/live.js";
import { ACTING, enter, place } from "../lib/router.js";
import { useLimited, useMay, useSession } from "../lib/session.js";
import { logoPath } from "../lib/look.js";
import { html, LookContext, SUITE_NAME, useContext, useEffect, useRef, useState } from "../lib/ui.js";
import { Head } from "./tabs.js";
import { toastProblem } from "./toasts.js";

// Name, title, and the scope without which the area has nothing to show.
const AREAS = /** @type {[string, string, string?][]} */ ([
  ["", "Overview"], ["agents", "Agents", "agents:read"], ["calls", "Calls", "calls:read"],
  ["knowledge", "Knowledge", "knowledge:read"], ["live", "Live", "realtime:read"],
  ["billing", "Billing", "billing:read"], ["customers", "Customers", "organizations:read"],
  ["members", "Members", "members:read"], ["white-label", "White label", "members:read"], ["developers", "Developers"],
  ["audit", "Audit log", "audit:read"], ["operations", "Operations"], ["account", "Account"],
]);
// Areas of the person's own organization, which are not there in a customer.
const OWN = ["customers", "account"];
// Areas without a scope that hold nothing of single agents.
const OF_ALL_AGENTS = ["developers", "operations"];
const LIVE_WORDS = { connecting: "Connecting", live: "Live", failed: "Not live" };

/** A function that says whether an area is there for the person. */
function useIsThere() {
  const may = useMay();
  const limited = useLimited();
  const { organization } = useSession().user;
  return (/** @type {[string, string, string?]} */ [name, , scope]) => (!scope || may(scope)) && !(ACTING && OWN.includes(name))
    && !(limited && OF_ALL_AGENTS.includes(name)) && !(name === "customers" && organization.parentId);
}

export function Frame({ route, area, children }) {
  const { organization } = useSession().user;
  const isThere = useIsThere();
  // An address without an area is that of no page, which says so.
  const closed = typeof area === "string" && AREAS.some((one) => one[0] === area && !isThere(one));
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [route.path]);
  const menu = useRef(null);
  const leave = ({ key }) => {
    if (key !== "Escape" || !open) return;
    setOpen(false);
    menu.current.focus();
  };
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="top">
      <${Brand} href=${place([])} />
      <${LiveState} />
      <${Person} />
      <button type="button" class="menu" ref=${menu} aria-expanded=${String(open)} aria-controls="areas"
        onClick=${() => setOpen(!open)} onKeyDown=${leave}>Menu</button>
    </header>
    ${ACTING && html`<aside class="acting" aria-label="Whose data these are"><span>You act in${" "}
      <strong>${organization.name}</strong>, a customer of your organization.</span>
      <button type="button" onClick=${() => enter("")}>Back to your organization</button></aside>`}
    <div class="columns">
      <nav id="areas" class=${open ? "open" : ""} aria-label="Main" onKeyDown=${leave}>
        <ul>${AREAS.filter(isThere).map(([name, title]) => html`<li key=${name}>
          <a href=${place(name ? [name] : [])} aria-current=${name === area ? "page" : undefined}>${title}</a></li>`)}
            </ul>
      </nav>
      <main id="main" tabindex="-1">${closed ? html`<${Closed} />` : children}</main>
    </div>`;
}

/** What an address shows whose area is not there for the person; nothing of it is asked for. */
function Closed() {
  return html`<${Head} title="Not open to you" />
    <p>Your role, or the agents that you were given, do not reach this part of the organization. An owner or admin can
      change that. Go to the <a href=${place([])}>overview</a>.</p>`;
}

function skip(event) {
  event.preventDefault(); // The fragment is the address of the page.
  document.getElementById("main").focus();
}

/** The name and the logo of the host's organization, or the suite's; a link where there is somewhere to go. */
export function Brand({ href }) {
  const look = useContext(LookContext);
  const logo = logoPath(look);
  const inside = html`${logo ? html`<img class="logo" src=${logo} alt="" />` : html`<${Mark} />`}
    <span>${look?.productName ?? SUITE_NAME}</span>`;
  return href ? html`<a class="brand" href=${href}>${inside}</a>` : html`<p class="brand">${inside}</p>`;
}

export function Mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" />
    <path d="M8 13v6M16 7v18M24 11v10" /></svg>`;
}

function LiveState() {
  const state = useLiveState();
  return html`<span class="live-state ${state}" role="status">${LIVE_WORDS[state] ?? ""}</span>`;
}

function Person() {
  const { user, signOut } = useSession();
  const leave = () => signOut().catch(toastProblem);
  return html`<span class="person"><a class="who" href=${place(["account"], {}, "")} title=${user.email}>
    ${ACTING ? user.email : user.organization.name}</a>
    <button type="button" class="quiet" onClick=${leave}>Sign out</button></span>`;
}
