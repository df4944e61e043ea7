/* For those who build on the API: keys, webhook endpoints, and connections to voice platforms. */

import { html } from "../lib/ui.js";
import { Head, Tabs } from "../parts/tabs.js";
import { ApiKeys } from "./api-keys.js";
import { Integrations } from "./integrations.js";
import { Webhooks } from "./webhooks.js";

const TABS = [["keys", "API keys"], ["webhooks", "Webhooks"], ["providers", "Voice platforms"]];

export function Developers({ route, tab = "keys" }) {
  return html`<${Head} title="Developers"><a class="button" href="/docs">API documentation</a><//>
    <${Tabs} base=${["developers"]} tabs=${TABS} current=${tab} label="Parts for developers" />
    ${tab === "keys" && html`<${ApiKeys} route=${route} />`}
    ${tab === "webhooks" && html`<${Webhooks} route=${route} />`}
    ${tab === "providers" && html`<${Integrations} />`}`;
}
