/* Who the person is here, the address of the account, and the organization's settings. */

import { send } from "../lib/api.js";
import { words } from "../lib/format.js";
import { useAct, useResource } from "../lib/resource.js";
import { useMay, useSession } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Copyable } from "../parts/copy.js";
import { Form, TextField, ZoneField } from "../parts/forms.js";
import { Facts, Moment, ProblemBox, Waiting } from "../parts/notices.js";
import { toast } from "../parts/toasts.js";

export function Profile() {
  const { user, ask } = useSession();
  const organization = useResource("/api/organization");
  return html`<${Facts} of=${[["Name", [user.firstName, user.lastName].filter(Boolean).join(" ")],
      ["E-mail address", user.email], ["Role", words(user.role)],
      ["User since", html`<${Moment} at=${user.createdAt} />`]]} />
    <section><h2>Organization</h2>
      <${ProblemBox} problem=${organization.problem} again=${organization.reload} />
      ${organization.data ? html`<${Settings} key=${organization.data.version} of=${organization.data}
        replace=${organization.replace} changed=${ask} />` : !organization.problem && html`<${Waiting} />`}</section>
    <section><h2>E-mail address</h2><${Address} /></section>`;
}

function Settings({ of: organization, replace, changed }) {
  const may = useMay();
  const [name, setName] = useState(organization.name);
  const [timeZone, setTimeZone] = useState(organization.timeZone ?? "");
  const [run, { busy, problem }] = useAct(async () => {
    replace(await send("PATCH", "/api/organization", { name, timeZone: timeZone.trim() },
      { version: organization.version }));
    toast("The organization is changed.");
    changed();
  });
  const dirty = name !== organization.name || timeZone !== (organization.timeZone ?? "");
  return html`<${Form} onSubmit=${run} busy=${busy} ready=${dirty} problem=${problem} locked=${!may("members:write")}
    submit=${dirty ? "Save" : "Saved"}>
    <${TextField} label="Name" required maxlength="200" value=${name} onInput=${setName} pointer="name"
      problem=${problem} />
    <${ZoneField} value=${timeZone} onInput=${setTimeZone} problem=${problem} /><//>
    <p class="small">Id <${Copyable} text=${organization.id} what="the id of the organization" /></p>`;
}

function Address() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [mailedTo, setMailedTo] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    await send("POST", "/api/auth/email", { email: email.trim(), password });
    setMailedTo(email.trim());
    setPassword("");
  });
  if (mailedTo) return html`<p role="status">A mail is on its way to ${mailedTo}. Open its link within 24 hours, signed in
    here; until then nothing changes.</p>`;
  return html`<${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Send the link">
    <${TextField} label="New address" type="email" required maxlength="254" autocomplete="email" value=${email}
      onInput=${setEmail} pointer="email" problem=${problem} />
    <${TextField} label="Your password" type="password" required maxlength="200" autocomplete="current-password"
      value=${password} onInput=${setPassword} pointer="password" problem=${problem} /><//>`;
}
