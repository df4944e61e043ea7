/* Who is in the organization: members with their roles, and invitations. */

import { send } from "../lib/api.js";
import { words } from "../lib/format.js";
import { useAct, useList, useResource } from "../lib/resource.js";
import { place, urlPlace } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { Form, SelectField, TextField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, State } from "../parts/notices.js";
import { Head, Tabs } from "../parts/tabs.js";
import { toast, toastProblem } from "../parts/toasts.js";
import { nameOf } from "./member.js";

const TABS = [["people", "People"], ["invitations", "Invitations"]];

export function Members({ route, tab = "people" }) {
  const may = useMay();
  const [inviting, setInviting] = useState(false);
  const [invited, setInvited] = useState(0);
  const roles = useResource("/api/roles");
  const done = () => {
    setInviting(false);
    setInvited(invited + 1);
  };
  return html`<${Head} title="Members">${may("members:write") && html`<button type="button" class="primary"
      onClick=${() => setInviting(true)}>Invite</button>`}<//>
    <${Tabs} base=${["members"]} tabs=${TABS} current=${tab} label="Parts of members" />
    ${tab === "invitations" ? html`<${Invitations} key=${invited} route=${route} />`
      : html`<${People} route=${route} roles=${roles.data?.data ?? []} />`}
    ${inviting && html`<${Invite} roles=${roles.data?.data ?? []} onClose=${() => setInviting(false)} done=${done} />`}`;
}

function People({ route, roles }) {
  const { user } = useSession();
  const may = useMay();
  const [where, move] = urlPlace(route);
  const list = useList("/api/users", {}, where, 25);
  const grantable = roles.filter((role) => role.grantable).map(({ name }) => name);
  const isMine = (member) => member.id === user.id;
  const isOpen = (member) => may("members:write") && !isMine(member) && grantable.includes(member.role);
  const change = (member) => (role) => send("PATCH", `/api/users/${member.id}`, { role },
    { version: member.version }).then(() => {
    toast(`${member.email} is ${words(role).toLowerCase()} now.`);
    list.reload();
  }, (problem) => {
    toastProblem(problem);
    list.reload();
  });
  const remove = (member) => () => send("DELETE", `/api/users/${member.id}`, undefined, { version: member.version });
  const columns = [
    { title: "Person", cell: (member) => html`<a href=${place(["members", member.id])}>${member.email}</a>
      ${nameOf(member) && html`<div class="small">${nameOf(member)}</div>`}` },
    { title: "Role", cell: (member) => (isOpen(member)
      ? html`<select aria-label="Role of ${member.email}" value=${member.role}
        onChange=${(event) => change(member)(event.target.value)}>${grantable.map((name) => html`<option key=${name}
          value=${name} selected=${name === member.role}>${words(name)}</option>`)}</select>`
      : words(member.role)) },
    { title: "Agents", cell: (member) => (member.agentAccess === "granted" && !["owner", "admin"].includes(member.role)
      ? "Some" : "All") },
    { title: "Last sign-in", cell: (member) => html`<${Moment} at=${member.lastLoginAt} />` },
    { title: "Since", cell: (member) => html`<${Moment} at=${member.createdAt} />` },
    ...(may("members:write") ? [{ title: "Actions", cell: (member) => (isMine(member)
      ? html`<${State} of="active" label="You" />`
      : isOpen(member) && html`<${Confirm} label="Remove" title="Remove ${member.email}?" verb="Remove the member"
        question="The sessions and API keys of this person end at once. What the person made stays."
        act=${remove(member)} done=${() => { toast(`${member.email} was removed.`); list.reload(); }} />`) }] : []),
  ];
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Members"
    empty=${html`<${Empty} title="No member" />`} />`;
}

function Invitations({ route }) {
  const may = useMay();
  const [where, move] = urlPlace(route);
  const list = useList("/api/users/invitations", {}, where, 25);
  const resend = (invitation) => () => send("POST", `/api/users/invitations/${invitation.id}/resend`).then(() => {
    toast(`The mail is on its way to ${invitation.email} again.`);
    list.reload();
  }, toastProblem);
  const revoke = (invitation) => () => send("DELETE", `/api/users/invitations/${invitation.id}`);
  const columns = [
    { title: "Address", cell: (invitation) => invitation.email },
    { title: "Role", cell: (invitation) => words(invitation.role) },
    { title: "State", cell: (invitation) => html`<${State} of=${invitation.status} />` },
    { title: "Sent", cell: (invitation) => html`<${Moment} at=${invitation.createdAt} />` },
    { title: "Open until", cell: (invitation) => html`<${Moment} at=${invitation.expiresAt} />` },
    ...(may("members:write") ? [{ title: "Actions", cell: (invitation) => ["pending", "expired"].includes(
      invitation.status) && html`<span class="row-actions">
      <button type="button" class="quiet" onClick=${resend(invitation)}>Send again</button>
      <${Confirm} label="Revoke" title="Revoke the invitation of ${invitation.email}?"
        question="Its link stops working." act=${revoke(invitation)}
        done=${() => { toast("The invitation is revoked."); list.reload(); }} /></span>` }] : []),
  ];
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Invitations"
    empty=${html`<${Empty} title="No invitation">“Invite” mails a link by which a person joins the organization.<//>`} />`;
}

function Invite({ roles, onClose, done }) {
  const choices = roles.filter((role) => role.grantable);
  const [email, setEmail] = useState("");
  const [role, setRole] = useState("member");
  const [run, { busy, problem }] = useAct(async () => {
    await send("POST", "/api/users/invitations", { email: email.trim(), role });
    toast(`A mail is on its way to ${email.trim()}.`);
    done();
  });
  return html`<${Dialog} title="Invite a person" onClose=${onClose}>
    <p>A mail brings a link that works for 7 days.</p>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Send the invitation"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="E-mail address" type="email" required maxlength="254" wide value=${email} onInput=${setEmail}
        pointer="email" problem=${problem} />
      <${SelectField} label="Role" value=${role} options=${choices.map(({ name }) => [name, words(name)])}
        hint=${scopesOf(choices, role)} onInput=${setRole} pointer="role" problem=${problem} wide /><//><//>`;
}

function scopesOf(roles, name) {
  const scopes = roles.find((role) => role.name === name)?.scopes ?? [];
  return scopes.includes("*") ? "May do everything." : `May: ${scopes.join(", ")}.`;
}
