/* Webhook endpoints: create, list. One endpoint with its deliveries has a page of its own. */

import { send } from "../lib/api.js";
import { useAct, useList } from "../lib/resource.js";
import { go, place, urlPlace } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Dialog, Secret } from "../parts/dialog.js";
import { Form, fromCommas, TextField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, State } from "../parts/notices.js";

const COLUMNS = [
  { title: "Address", cell: (endpoint) => html`<a href=${place(["developers", "webhooks", endpoint.id])}>
    ${endpoint.url}</a>` },
  { title: "Status", cell: (endpoint) => html`<${State} of=${endpoint.status} />` },
  { title: "Events", cell: (endpoint) => endpoint.eventTypes.join(", ") },
  { title: "Last success", cell: (endpoint) => html`<${Moment} at=${endpoint.lastSuccessAt} />` },
  { title: "Last failure", cell: (endpoint) => html`<${Moment} at=${endpoint.lastFailureAt} />` },
];

export function Webhooks({ route }) {
  const may = useMay();
  const [where, move] = urlPlace(route);
  const list = useList("/api/webhook-endpoints", {}, where, 25);
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState(null);
  const done = (endpoint) => {
    setCreating(false);
    setMade(endpoint);
  };
  return html`${may("webhooks:write") && html`<p><button type="button" class="primary"
      onClick=${() => setCreating(true)}>New endpoint</button></p>`}
    <${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Webhook endpoints"
      empty=${html`<${Empty} title="No webhook endpoint">An endpoint receives events by signed HTTP requests, each at least once, in the order of what they are about.<//>`} />
    ${creating && html`<${NewEndpoint} onClose=${() => setCreating(false)} done=${done} />`}
    ${made && html`<${Secret} title="The endpoint's secret" secret=${made.secret}
      onClose=${() => go(["developers", "webhooks",
      made.id])}>The receiver verifies signatures with it (Standard Webhooks). It is shown this once; you can rotate it.<//>`}`;
}

function NewEndpoint({ onClose, done }) {
  const [url, setUrl] = useState("");
  const [types, setTypes] = useState("call.ended");
  const [description, setDescription] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    done(await send("POST", "/api/webhook-endpoints",
      { url: url.trim(), eventTypes: fromCommas(types), ...(description && { description }) }));
  });
  return html`<${Dialog} title="New webhook endpoint" onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Create"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="Address" type="url" required maxlength="2000" wide placeholder="https://" value=${url}
        onInput=${setUrl} pointer="url" problem=${problem} />
      <${TextField} label="Event types" required wide hint="Separated by commas, such as call.ended, call.* or *."
        value=${types} onInput=${setTypes} pointer="eventTypes" problem=${problem} />
      <${TextField} label="Description" maxlength="500" wide value=${description} onInput=${setDescription}
        pointer="description" problem=${problem} />
    <//><//>`;
}
