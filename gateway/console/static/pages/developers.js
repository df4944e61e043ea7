/* For those who build on the API: keys, webhook endpoints, and connections to voice platforms. */

import { ACTING } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html } from "../lib/ui.js";
import { Head, Tabs } from "../parts/tabs.js";
import { ApiKeys } from "./api-keys.js";
import { Integrations } from "./integrations.js";
import { Webhooks } from "./webhooks.js";

// Name, title, and the scope that reads it.
const TABS = [["keys", "API keys", "members:read"], ["webhooks", "Webhooks", "webhooks:read"],
  ["providers", "Voice platforms", "integrations:read"]];

export function Developers({ route, tab = ACTING ? "webhooks" : "keys" }) {
  const may = useMay();
  // API keys belong to the own organization; an agency's key names the customer that it acts in.
  const tabs = TABS.filter(([name, , scope]) => may(scope) && !(ACTING && name === "keys"));
  return html`<${Head} title="Developers"><a class="button" href="/docs">API documentation</a><//>
    <${Tabs} base=${["developers"]} tabs=${tabs} current=${tab} label="Parts for developers" />
    ${tab === "keys" && html`<${ApiKeys} route=${route} />`}
    ${tab === "webhooks" && html`<${Webhooks} route=${route} />`}
    ${tab === "providers" && html`<${Integrations} />`}`;
}
