/* Hosts that show the organization, each proved by a record of its zone. */

import { send } from "../lib/api.js";
import { useAct, useList } from "../lib/resource.js";
import { urlPlace } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Copyable } from "../parts/copy.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { Form, TextField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, ProblemBox, State } from "../parts/notices.js";
import { toast } from "../parts/toasts.js";

const PATH = "/api/whitelabel/hosts";

export function Hosts({ route }) {
  const may = useMay();
  const [where, move] = urlPlace(route);
  const list = useList(PATH, {}, where, 25);
  const [adding, setAdding] = useState(false);
  const [proving, setProving] = useState(null);
  const columns = [
    { title: "Host", cell: ({ host }) => host },
    { title: "State", cell: ({ verifiedAt }) => html`<${State} of=${verifiedAt ? "active" : "pending"}
      label=${verifiedAt ? "Proved" : "Waits for its record"} />` },
    { title: "Proved", cell: ({ verifiedAt, missingSince }) => html`<${Moment} at=${verifiedAt} />
      ${missingSince && html`<p class="small">Its record is gone since <${Moment} at=${missingSince} />.</p>`}` },
    ...(may("members:write") ? [{ title: "Actions", cell: (host) => html`<span class="row-actions">
      <button type="button" class="quiet" onClick=${() => setProving(host)}>${host.verifiedAt ? "Record" : "Prove"}
        <span class="unseen"> ${host.host}</span></button>
      <${Confirm} label="Remove" title="Remove ${host.host}?" verb="Remove the host"
        question="Its pages look as the suite does, within a minute." act=${() => send("DELETE", `${PATH}/${host.id}`)}
        done=${list.reload} /></span>` }] : []),
  ];
  return html`${may("members:write") && html`<p><button type="button" class="primary" onClick=${() => setAdding(true)}>
      Add a host</button></p>`}
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Hosts"
      empty=${html`<${Empty} title="No host yet">Add the host of your own domain under which your people open the console, such as voice.example.com.<//>`} />
    ${adding && html`<${NewHost} onClose=${() => setAdding(false)} done=${(host) => {
      setAdding(false);
      setProving(host);
      list.reload();
    }} />`}
    ${proving && html`<${Proof} of=${proving} onClose=${() => setProving(null)} done=${() => {
      setProving(null);
      list.reload();
    }} />`}`;
}

function NewHost({ onClose, done }) {
  const [host, setHost] = useState("");
  const [run, { busy, problem }] = useAct(async () => done(await send("POST", PATH, { host: host.trim().toLowerCase() })));
  return html`<${Dialog} title="Add a host" onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Go on"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="Host" required minlength="4" maxlength="253" wide placeholder="voice.example.com" value=${host}
        hint="The name alone, without https:// and without a path." onInput=${setHost} pointer="host"
        problem=${problem} /><//><//>`;
}

/** The steps from a name to a host that shows the organization. */
function Proof({ of: { id, host, recordName, recordValue, verifiedAt }, onClose, done }) {
  const [run, { busy, problem }] = useAct(async () => {
    await send("POST", `${PATH}/${id}/verify`);
    toast(`${host} shows your organization.`);
    done();
  });
  return html`<${Dialog} title=${host} onClose=${onClose}>
    <ol class="steps">
      <li>Add this record to the zone of the host, where its DNS is managed.
        <dl class="record"><dt>Type</dt><dd><code>TXT</code></dd>
          <dt>Name</dt><dd><${Copyable} text=${recordName} what="the name of the record" /></dd>
          <dt>Value</dt><dd><${Copyable} text=${recordValue} what="the value of the record" /></dd></dl></li>
      <li>Wait until your DNS answers with it: minutes as a rule, an hour at most with common settings.</li>
      <li>Press “Look for the record”. Keep the record: who else proves the host later gets it once yours is gone.</li>
      <li>Point the host (<code>CNAME</code>) at this installation. Its operator adds the certificate.</li></ol>
    ${verifiedAt && html`<p class="small">Proved <${Moment} at=${verifiedAt} />.</p>`}
    <${ProblemBox} problem=${problem} />
    <div class="actions"><button type="button" class="primary" disabled=${busy} onClick=${run}>
        ${busy ? "Looking…" : "Look for the record"}</button>
      <button type="button" onClick=${onClose}>Later</button></div><//>`;
}
