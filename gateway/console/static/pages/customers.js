/* The customers of an agency: organizations that it makes, looks after and acts in. */

import { send } from "../lib/api.js";
import { useAct, useList } from "../lib/resource.js";
import { enter, go, place, setQuery, urlPlace } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { words } from "../lib/format.js";
import { html, useState } from "../lib/ui.js";
import { Dialog } from "../parts/dialog.js";
import { Form, SelectField, TextField, ZoneField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, State } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";

const STATES = ["active", "suspended", "archived"];
const COLUMNS = [
  { title: "Customer", cell: (child) => html`<a href=${place(["customers", child.id])}>${child.name}</a>` },
  { title: "State", cell: (child) => html`<${State} of=${child.status} />` },
  { title: "Time zone", cell: (child) => child.timeZone },
  { title: "Since", cell: (child) => html`<${Moment} at=${child.createdAt} />` },
  { title: "Actions", cell: (child) => (child.status === "active" ? html`<button type="button" class="quiet"
    onClick=${() => enter(child.id)}>Act in it<span class="unseen">: ${child.name}</span></button>` : "–") },
];

export function Customers({ route }) {
  const { user } = useSession();
  const may = useMay();
  const { status = "" } = route.query;
  const [where, move] = urlPlace(route);
  const [creating, setCreating] = useState(false);
  const path = `/api/organizations/${user.organization.id}/children`;
  const list = useList(path, { status, sort: "name", order: "asc" }, where, 25);
  return html`<${Head} title="Customers">${may("organizations:write") && html`<button type="button" class="primary"
      onClick=${() => setCreating(true)}>New customer</button>`}<//>
    <p class="lead small">A customer is an organization of its own, with its own agents, calls, knowledge, credit and
      members. You act in it with the role that you have here; its members see neither you nor your other customers.</p>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="State" value=${status} onInput=${(value) => setQuery({ status: value })}
        options=${[["", "All"], ...STATES.map((name) => [name, words(name)])]} /></form>
    <${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Customers" empty=${status
      ? html`<${Empty} title="No customer has this state">Change or <a href=${place(["customers"])}>remove the filter</a>.<//>`
      : html`<${Empty} title="No customers yet">Make the first one with “New customer”, then act in it and invite its people.<//>`} />
    ${creating && html`<${NewCustomer} path=${path} onClose=${() => setCreating(false)} />`}`;
}

function NewCustomer({ path, onClose }) {
  const [name, setName] = useState("");
  const [timeZone, setTimeZone] = useState(() => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  const [run, { busy, problem }] = useAct(async () => {
    const child = await send("POST", path, { name: name.trim(), timeZone: timeZone.trim() });
    go(["customers", child.id]);
  });
  return html`<${Dialog} title="New customer" onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Create"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="Name" required maxlength="200" wide value=${name} onInput=${setName} pointer="name"
        problem=${problem} />
      <${ZoneField} value=${timeZone} onInput=${setTimeZone} problem=${problem} /><//><//>`;
}
