/* The signed-in person, the organization's settings, and the sessions that are open. */

import { send } from "../lib/api.js";
import { words } from "../lib/format.js";
import { useAct, useList, usePlace, useResource } from "../lib/resource.js";
import { useSession } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Confirm } from "../parts/dialog.js";
import { Form, TextField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { toast } from "../parts/toasts.js";

export function Account() {
  const { user, ask } = useSession();
  const organization = useResource("/api/organization");
  return html`<${Head} title="Account" />
    <${Facts} of=${[["Name", [user.firstName, user.lastName].filter(Boolean).join(" ")],
      ["E-mail address", user.email], ["Role", words(user.role)],
      ["User since", html`<${Moment} at=${user.createdAt} />`]]} />
    <section><h2>Organization</h2>
      <${ProblemBox} problem=${organization.problem} again=${organization.reload} />
      ${organization.data ? html`<${Settings} key=${organization.data.version} of=${organization.data}
        replace=${organization.replace} changed=${ask} />` : !organization.problem && html`<${Waiting} />`}</section>
    <section><h2>Sessions</h2><p class="small">Where you are signed in. End those that you do not know.</p>
      <${Sessions} /></section>`;
}

function Settings({ of: organization, replace, changed }) {
  const [name, setName] = useState(organization.name);
  const [timeZone, setTimeZone] = useState(organization.timeZone ?? "");
  const [run, { busy, problem }] = useAct(async () => {
    replace(await send("PATCH", "/api/organization", { name, timeZone: timeZone.trim() },
      { version: organization.version }));
    toast("The organization is changed.");
    changed();
  });
  const dirty = name !== organization.name || timeZone !== (organization.timeZone ?? "");
  return html`<${Form} onSubmit=${run} busy=${busy} ready=${dirty} problem=${problem}
    submit=${dirty ? "Save" : "Saved"}>
    <${TextField} label="Name" required maxlength="200" value=${name} onInput=${setName} pointer="name"
      problem=${problem} />
    <${TextField} label="Time zone" required maxlength="64" list="zones"
      hint="As the IANA database names it, such as Europe/Berlin." value=${timeZone} onInput=${setTimeZone}
      pointer="timeZone" problem=${problem} />
    <datalist id="zones">${Intl.supportedValuesOf("timeZone").map((zone) => html`<option key=${zone} value=${zone}>
      </option>`)}</datalist><//>
    <p class="small">Id <code>${organization.id}</code></p>`;
}

function Sessions() {
  const [where, move] = usePlace();
  const list = useList("/api/auth/sessions", {}, where, 10);
  const end = (session) => () => send("DELETE", `/api/auth/sessions/${session.id}`);
  const columns = [
    { title: "Device", cell: (session) => session.userAgent ?? "Unknown" },
    { title: "Address", cell: (session) => session.ipAddress ?? "–" },
    { title: "Opened", cell: (session) => html`<${Moment} at=${session.createdAt} />` },
    { title: "Last seen", cell: (session) => html`<${Moment} at=${session.lastSeenAt} />` },
    { title: "Actions", cell: (session) => (session.current
      ? html`<${State} of="active" label="This one" />`
      : html`<${Confirm} label="End" title="End this session?" question="The device has to sign in again."
        verb="End the session" act=${end(session)} done=${list.reload} />`) },
  ];
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Sessions"
    empty=${html`<${Empty} title="No session" />`} />`;
}
