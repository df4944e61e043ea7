/* For those who build on the API: keys, webhook endpoints, and connections to voice platforms. */

import { useMay } from "../lib/session.js";
import { html } from "../lib/ui.js";
import { Head, Tabs } from "../parts/tabs.js";
import { ApiKeys } from "./api-keys.js";
import { Integrations } from "./integrations.js";
import { Webhooks } from "./webhooks.js";

// Name, title, and the scope that reads it.
const TABS = [["keys", "API keys", "members:read"], ["webhooks", "Webhooks", "webhooks:read"],
  ["providers", "Voice platforms", "integrations:read"]];

export function Developers({ route, tab = "keys" }) {
  const may = useMay();
  const tabs = TABS.filter(([, , scope]) => may(scope));
  return html`<${Head} title="Developers"><a class="button" href="/docs">API documentation</a><//>
    <${Tabs} base=${["developers"]} tabs=${tabs} current=${tab} label="Parts for developers" />
    ${tab === "keys" && html`<${ApiKeys} route=${route} />`}
    ${tab === "webhooks" && html`<${Webhooks} route=${route} />`}
    ${tab === "providers" && html`<${Integrations} />`}`;
}
