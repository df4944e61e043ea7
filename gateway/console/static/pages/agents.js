/* Agents: list, search, create. */

import { send } from "../lib/api.js";
import { useRefresh } from "../lib/live.js";
import { useAct, useList } from "../lib/resource.js";
import { go, place, setQuery, urlPlace } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { number, providerName } from "../lib/format.js";
import { Dialog } from "../parts/dialog.js";
import { AreaField, Form, SearchField, SelectField, TextField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, State, Tags } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";

const COLUMNS = [
  { title: "Agent", cell: (agent) => html`<a href=${place(["agents", agent.id])}>${agent.name}</a>` },
  { title: "Status", cell: (agent) => html`<${State} of=${agent.status} />` },
  { title: "Published", cell: (agent) => (agent.publishedVersion
    ? `Version ${number(agent.publishedVersion)}${agent.hasUnpublishedChanges ? ", changed since" : ""}` : "Never") },
  { title: "Provider", cell: (agent) => providerName(agent.provider) },
  { title: "Tags", cell: (agent) => html`<${Tags} of=${agent.tags} />` },
  { title: "Changed", cell: (agent) => html`<${Moment} at=${agent.updatedAt} />` },
];

export function Agents({ route }) {
  const { user } = useSession();
  const may = useMay();
  const [creating, setCreating] = useState(false);
  const { search = "", status = "" } = route.query;
  const [where, move] = urlPlace(route);
  const list = useList("/api/agents", { search, status }, where, 25);
  useRefresh(user.organization.id, "agents", list.reload);
  const create = may("agents:write") && html`<button type="button" class="primary" onClick=${() => setCreating(true)}>New agent</button>`;
  return html`<${Head} title="Agents">${create}<//>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <${SearchField} label="Search" value=${search} onSearch=${(text) => setQuery({ search: text })}
        placeholder="Words of name or description" />
      <${SelectField} label="Status" value=${status} onInput=${(value) => setQuery({ status: value })}
        options=${[["", "All"], ["draft", "Draft"], ["active", "Active"], ["archived", "Archived"]]} />
    </form>
    <${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Agents" empty=${search || status
      ? html`<${Empty} title="No agent matches">Change or <a href=${place(["agents"])}>remove the filters</a>.<//>`
      : html`<${Empty} title="No agents yet">An agent is what answers a call: its prompt, voice and model. ${may("agents:write") && " Create the first one with “New agent”."}<//>`} />
    ${creating && html`<${NewAgent} onClose=${() => setCreating(false)} />`}`;
}

function NewAgent({ onClose }) {
  const [name, setName] = useState("");
  const [systemPrompt, setPrompt] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    const agent = await send("POST", "/api/agents", { name, ...(systemPrompt && { systemPrompt }) });
    go(["agents", agent.id]);
  });
  return html`<${Dialog} title="New agent" onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Create"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="Name" required maxlength="200" wide value=${name} onInput=${setName} pointer="name"
        problem=${problem} />
      <${AreaField} label="System prompt" rows="6"
        hint="Who the agent is and how it behaves. You can change it later." value=${systemPrompt}
        onInput=${setPrompt} pointer="systemPrompt" problem=${problem} />
    <//><//>`;
}
