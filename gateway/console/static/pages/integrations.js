/* Connections to voice platforms: credentials in, webhook address out. A credential is never shown again. */

import { send } from "../lib/api.js";
import { providerName } from "../lib/format.js";
import { useAct, useResource } from "../lib/resource.js";
import { useMay } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { CopyButton } from "../parts/copy.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { Form, TextField } from "../parts/forms.js";
import { Facts, Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { toast, toastProblem } from "../parts/toasts.js";

const PROVIDERS = ["elevenlabs", "retell", "vapi", "bland"];

export function Integrations() {
  const { data, problem, reload } = useResource("/api/integrations", { limit: 200 });
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  return html`<p>Calls come from a voice platform. Enter its credentials, then enter the webhook address below there.</p>
    ${PROVIDERS.map((name) => html`<${Provider} key=${name} name=${name}
      known=${data.data.find(({ provider }) => provider === name)} reload=${reload} />`)}`;
}

function Provider({ name, known, reload }) {
  const may = useMay();
  const [open, setOpen] = useState(false);
  const path = `/api/integrations/${name}`;
  const started = () => toast("Agents and calls of the platform are being read.");
  const sync = () => send("POST", `${path}/sync`).then(started, toastProblem);
  return html`<section class="card"><div class="head"><h2>${providerName(name)}</h2><div class="head-actions">
      ${known && html`<${State} of=${known.status} />`}
      ${may("integrations:write") && html`${known && html`<button type="button" onClick=${sync}>Synchronize</button>`}
      <button type="button" class=${known ? "" : "primary"} onClick=${() => setOpen(true)}>
        ${known ? "Change credentials" : "Connect"}</button>
      ${known && html`<${Confirm} label="Remove" title="Remove ${providerName(name)}?"
        question="Its reports are refused from now on. Calls that came before stay."
        act=${() => send("DELETE", path, undefined, { version: known.version })} done=${reload} />`}`}</div></div>
    ${known && html`<${Facts} of=${[["Key ends with", known.apiKeyLast4],
      ["Last synchronized", html`<${Moment} at=${known.lastSyncAt} />`]]} />
      <p>Webhook address <code class="secret">${known.webhookUrl}</code>
      <${CopyButton} text=${known.webhookUrl} label="Copy the address" /></p>`}
    ${open && html`<${Credentials} name=${name} path=${path} onClose=${() => setOpen(false)}
      done=${() => { setOpen(false); reload(); }} />`}</section>`;
}

function Credentials({ name, path, onClose, done }) {
  const [apiKey, setKey] = useState("");
  const [webhookSecret, setSecret] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    await send("PUT", path, { credentials: { ...(apiKey && { apiKey }), ...(webhookSecret && { webhookSecret }) } });
    done();
  });
  return html`<${Dialog} title="Credentials of ${providerName(name)}" onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Store"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="API key" type="password" autocomplete="off" wide value=${apiKey} onInput=${setKey}
        pointer="credentials/apiKey" problem=${problem} />
      <${TextField} label="Webhook secret" type="password" autocomplete="off" wide
        hint="What the platform signs its reports with." value=${webhookSecret} onInput=${setSecret}
        pointer="credentials/webhookSecret" problem=${problem} />
    <//><//>`;
}
