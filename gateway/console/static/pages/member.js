/* One member: who it is, and which agents it reaches. */

import { send } from "../lib/api.js";
import { count, words } from "../lib/format.js";
import { useAct, useResource } from "../lib/resource.js";
import { place } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Copyable } from "../parts/copy.js";
import { Form, SearchField } from "../parts/forms.js";
import { Table } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { toast } from "../parts/toasts.js";

const BACK = [["members"], "Members"];
// Agents that a member can be limited to, and those that a search offers.
const MOST = 100;
const OFFERED = 8;
const RIGHTS = [["read", "Read"], ["write", "Read and change"]];

/** "Lena Vogt", or empty. */
export const nameOf = (member) => [member.firstName, member.lastName].filter(Boolean).join(" ");

export function Member({ id }) {
  const { data: member, problem, reload } = useResource(`/api/users/${id}`);
  const access = useResource(`/api/users/${id}/agent-grants`);
  if (problem && !member) return html`<${Head} title="Member" back=${BACK} />
    <${ProblemBox} problem=${problem} again=${reload} />`;
  if (!member) return html`<${Waiting} />`;
  return html`<${Head} title=${nameOf(member) || member.email} back=${BACK} />
    <${Facts} of=${[["E-mail address", nameOf(member) && member.email], ["Role", words(member.role)],
      ["Last sign-in", html`<${Moment} at=${member.lastLoginAt} />`],
      ["Member since", html`<${Moment} at=${member.createdAt} />`],
      ["Id", html`<${Copyable} text=${member.id} what="the id of the member" />`]]} />
    <section><h2>Agents</h2>
      <${ProblemBox} problem=${access.data ? null : access.problem} again=${access.reload} />
      ${access.data ? html`<${Access} key=${access.data.version} member=${member} of=${access.data}
          replace=${access.replace} reload=${access.reload} />`
        : !access.problem && html`<${Waiting} />`}</section>`;
}

/** The agents that a member or viewer reaches. Owners and admins reach all, because they could lift the limit. */
function Access({ member, of, replace, reload }) {
  const may = useMay();
  const { user } = useSession();
  const roles = useResource("/api/roles");
  const [limited, setLimited] = useState(of.agentAccess === "granted");
  const before = Object.fromEntries(of.grants.map(({ agentId, access }) => [agentId, access]));
  const [granted, setGranted] = useState(before);
  const [names, setNames] = useState({});
  const wanted = limited ? granted : {};
  const dirty = limited !== (of.agentAccess === "granted") || differ(wanted, before);
  const [run, { busy, problem }] = useAct(async () => {
    const grants = Object.entries(wanted).map(([agentId, access]) => ({ agentId, access }));
    replace(await send("PUT", `/api/users/${member.id}/agent-grants`,
      { agentAccess: limited ? "granted" : "all", grants }, { version: of.version }));
    toast(limited ? `${member.email} reaches ${count(grants.length, "agent")} now.` : `${member.email} reaches all agents now.`);
  });
  if (["owner", "admin"].includes(member.role)) return html`<p>Owners and admins reach all agents.</p>`;
  const isGrantable = roles.data?.data.some(({ name, grantable }) => name === member.role && grantable);
  const locked = !(may("members:write") && may("agents:write") && isGrantable && member.id !== user.id);
  const give = (agentId, access) => setGranted((known) => ({ ...known, [agentId]: access }));
  const take = (agentId) => setGranted((known) => Object.fromEntries(Object.entries(known).filter(([id]) => id !== agentId)));
  const again = problem?.status === 412
    && html`<button type="button" onClick=${reload}>Read what was saved meanwhile, and lose these changes</button>`;
  return html`<${Form} onSubmit=${run} busy=${busy} ready=${dirty} problem=${problem} locked=${locked}
    submit=${dirty ? "Save" : "Saved"} extra=${again}>
    <fieldset class="wide choice"><legend>Reaches</legend>
      <label><input type="radio" name="access" checked=${!limited} onChange=${() => setLimited(false)} />
        <span>All agents, and what else the role allows</span></label>
      <label><input type="radio" name="access" checked=${limited} onChange=${() => setLimited(true)} />
        <span>Only some agents, with their calls and events: no knowledge, billing, members, jobs or webhooks</span>
      </label></fieldset>
    ${limited && html`<div class="wide">
      <${Granted} of=${granted} names=${names} give=${give} take=${take} locked=${locked} />
      ${!locked && html`<${Offer} granted=${granted} add=${(agent) => {
        setNames((known) => ({ ...known, [agent.id]: agent.name }));
        give(agent.id, "read");
      }} />`}</div>`}<//>`;
}

const differ = (one, other) => Object.keys({ ...one, ...other }).some((id) => one[id] !== other[id]);

function Granted({ of: granted, names, give, take, locked }) {
  const rows = Object.entries(granted).map(([id, access]) => ({ id, access }));
  const columns = [
    { title: "Agent", cell: ({ id }) => html`<${AgentName} id=${id} known=${names[id]} />` },
    { title: "May", cell: ({ id, access }) => (locked ? RIGHTS.find(([name]) => name === access)[1]
      : html`<select aria-label="What the member may do with ${names[id] ?? id}" value=${access}
        onChange=${(event) => give(id, event.target.value)}>${RIGHTS.map(([name, title]) => html`<option key=${name}
          value=${name} selected=${name === access}>${title}</option>`)}</select>`) },
    ...(locked ? [] : [{ title: "Actions", cell: ({ id }) => html`<button type="button" class="quiet"
      onClick=${() => take(id)}>Remove<span class="unseen"> ${names[id] ?? id}</span></button>` }]),
  ];
  if (rows.length === 0) return html`<${Empty} title="No agent yet">${locked
    ? "The member reaches no agent until one is given." : "Search below and add the agents that the member shall reach."}<//>`;
  return html`<${Table} rows=${rows} columns=${columns} label="Agents that the member reaches" />`;
}

function AgentName({ id, known }) {
  const { data, problem } = useResource(known ? "" : `/api/agents/${id}`);
  if (problem?.status === 404) return html`<code>${id}</code> <${State} of="" label="Deleted" />`;
  if (problem) return html`<code>${id}</code>`;
  return html`<a href=${place(["agents", id])}>${known ?? data?.name ?? id}</a>`;
}

/** Agents by their words, to add. */
function Offer({ granted, add }) {
  const [search, setSearch] = useState("");
  const { data, problem, reload } = useResource("/api/agents", {
    search, limit: OFFERED + Object.keys(granted).length, sort: "name", order: "asc" });
  const found = (data?.data ?? []).filter(({ id }) => !(id in granted)).slice(0, OFFERED);
  if (Object.keys(granted).length >= MOST) return html`<p class="small">A member is limited to ${MOST} agents at most.</p>`;
  // Enter searches; it must not save the form around it.
  const keep = (event) => event.key === "Enter" && event.preventDefault();
  return html`<div class="offer" onKeyDown=${keep}><${SearchField} label="Add an agent" value=${search} onSearch=${setSearch}
      placeholder="Words of name or description" /></div>
    <${ProblemBox} problem=${problem} again=${reload} />
    ${found.length > 0 && html`<ul class="offers" aria-label="Agents to add">${found.map((agent) => html`<li key=${agent.id}>
      <span>${agent.name}</span><button type="button" onClick=${() => { add(agent); setSearch(""); }}>Add<span class="unseen">
        ${" "}${agent.name}</span></button></li>`)}</ul>`}
    ${data && found.length === 0 && !data.hasMore && html`<p class="small">${search ? "No further agent has these words." : "There is no further agent."}</p>`}
    ${data?.hasMore && html`<p class="small">More agents are there; search for them.</p>`}`;
}
