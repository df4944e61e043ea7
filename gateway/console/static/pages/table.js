/* Which page shows which address. */

import { html } from "../lib/ui.js";
import { place } from "../lib/router.js";
import { Account } from "./account.js";
import { Agent } from "./agent.js";
import { Agents } from "./agents.js";
import { Audit } from "./audit.js";
import { Billing } from "./billing.js";
import { Call } from "./call.js";
import { Calls } from "./calls.js";
import { Customer } from "./customer.js";
import { Customers } from "./customers.js";
import { Developers } from "./developers.js";
import { Endpoint } from "./endpoint.js";
import { Entry } from "./entry.js";
import { Knowledge } from "./knowledge.js";
import { Live } from "./live.js";
import { Member } from "./member.js";
import { Members } from "./members.js";
import { Operations } from "./operations.js";
import { Overview } from "./overview.js";
import { WhiteLabel } from "./white-label.js";

const LISTS = {
  "": Overview, agents: Agents, calls: Calls, knowledge: Knowledge, live: Live, billing: Billing,
  customers: Customers, members: Members, "white-label": WhiteLabel, developers: Developers, audit: Audit, operations: Operations, account: Account,
};
const THINGS = { agents: Agent, calls: Call, customers: Customer, knowledge: Entry, members: Member };

const TABS = { knowledge: ["search", "sources"], members: ["invitations"] };

/** `{component, key, given, area}` of a route. A page with tabs takes them as its second part. */
export function pageOf({ parts }) {
  const [area = "", id, third] = parts;
  if (id && THINGS[area] && !TABS[area]?.includes(id)) return { component: THINGS[area], key: id,
    given: { id, tab: third }, area };
  if (area === "developers" && id === "webhooks" && third) {
    return { component: Endpoint, key: third, given: { id: third }, area };
  }
  if (area in LISTS) return { component: LISTS[area], key: area, given: { tab: id }, area };
  return { component: Missing, key: "missing", given: {}, area: null };
}

function Missing() {
  return html`<h1 tabindex="-1">No such page</h1>
    <p>Choose one from the menu, or go to the <a href=${place([])}>overview</a>.</p>`;
}
