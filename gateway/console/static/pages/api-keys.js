/* API keys: create, rotate, revoke. A secret is shown once. */

import { send } from "../lib/api.js";
import { useAct, useList } from "../lib/resource.js";
import { urlPlace } from "../lib/router.js";
import { SCOPES } from "../lib/scopes.js";
import { useMay } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Confirm, Dialog, Secret } from "../parts/dialog.js";
import { Form, fromCommas, SelectField, TextField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment } from "../parts/notices.js";
import { toast } from "../parts/toasts.js";

const OVERLAPS = [["86400", "24 hours"], ["3600", "One hour"], ["0", "Not at all"]];

export function ApiKeys({ route }) {
  const may = useMay();
  const [where, move] = urlPlace(route);
  const list = useList("/api/api-keys", {}, where, 25);
  const [secret, setSecret] = useState("");
  const [creating, setCreating] = useState(false);
  const [rotating, setRotating] = useState(null);
  const fresh = (key) => {
    setSecret(key.secret);
    list.reload();
  };
  const revoke = (key) => () => send("DELETE", `/api/api-keys/${key.id}`, undefined, { version: key.version });
  const columns = [
    { title: "Name", cell: (key) => key.name },
    { title: "Begins with", cell: (key) => html`<code>${key.prefix}</code>` },
    { title: "Scopes", cell: (key) => (key.scopes.length > 4 ? html`<details><summary>
      ${key.scopes.length} scopes</summary>${key.scopes.join(", ")}</details>` : key.scopes.join(", ")) },
    { title: "Last used", cell: (key) => html`<${Moment} at=${key.lastUsedAt} />` },
    { title: "Expires", cell: (key) => html`<${Moment} at=${key.expiresAt} />` },
    ...(may("members:write") ? [{ title: "Actions", cell: (key) => html`<span class="row-actions">
      <button type="button" class="quiet" onClick=${() => setRotating(key)}>Rotate</button>
      <${Confirm} label="Revoke" title="Revoke “${key.name}”?"
        question="Whatever uses the key is refused from now on." act=${revoke(key)}
        done=${() => { toast("The key is revoked."); list.reload(); }} /></span>` }] : []),
  ];
  return html`${may("members:write") && html`<p><button type="button" class="primary"
      onClick=${() => setCreating(true)}>New key</button></p>`}
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="API keys"
      empty=${html`<${Empty} title="No API key">Create one for each program that calls the API, with the scopes that it needs.<//>`} />
    ${creating && html`<${NewKey} onClose=${() => setCreating(false)}
      done=${(key) => { setCreating(false); fresh(key); }} />`}
    ${rotating && html`<${Rotation} of=${rotating} onClose=${() => setRotating(null)}
      done=${(key) => { setRotating(null); fresh(key); }} />`}
    ${secret && html`<${Secret} title="The key's secret" secret=${secret}
      onClose=${() => setSecret("")}>Store it now. It is shown this once and cannot be read again.<//>`}`;
}

function NewKey({ onClose, done }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState(new Set(SCOPES.filter((scope) => scope.endsWith(":read"))));
  const [expires, setExpires] = useState("");
  const [addresses, setAddresses] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    const expiresAt = expires ? { expiresAt: new Date(`${expires}T23:59:59`).toISOString() } : {};
    done(await send("POST", "/api/api-keys", { name, scopes: [...scopes], ...expiresAt,
      allowedAddresses: fromCommas(addresses) }));
  });
  const change = (scope) => () => setScopes((known) => (known.has(scope)
    ? new Set([...known].filter((one) => one !== scope)) : new Set([...known, scope])));
  return html`<${Dialog} title="New API key" onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Create"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="Name" required maxlength="100" hint="What uses it." value=${name} onInput=${setName}
        pointer="name" problem=${problem} />
      <${TextField} label="Expires after" type="date" hint="Empty: never." value=${expires} onInput=${setExpires}
        pointer="expiresAt" problem=${problem} />
      <${TextField} label="Only from" wide hint="Addresses or networks, separated by commas. Empty: from anywhere."
        value=${addresses} onInput=${setAddresses} pointer="allowedAddresses" problem=${problem} />
      <fieldset class="wide"><legend>Scopes</legend><div class="checks">
        ${SCOPES.map((scope) => html`<label key=${scope}>
        <input type="checkbox" checked=${scopes.has(scope)} onChange=${change(scope)} />${scope}</label>`)}</div>
        </fieldset>
    <//><//>`;
}

function Rotation({ of: key, onClose, done }) {
  const [overlap, setOverlap] = useState("86400");
  const [run, { busy, problem }] = useAct(async () => {
    done(await send("POST", `/api/api-keys/${key.id}/rotate`, { overlapSeconds: Number(overlap) },
      { version: key.version }));
  });
  return html`<${Dialog} title="Rotate “${key.name}”" onClose=${onClose}>
    <p>The key gets a new secret. The old one still works for a while, so that programs can change over.</p>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Rotate"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${SelectField} label="The old secret works for" value=${overlap} options=${OVERLAPS} onInput=${setOverlap}
        pointer="overlapSeconds" problem=${problem} /><//><//>`;
}
