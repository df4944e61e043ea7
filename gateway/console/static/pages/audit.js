/* The audit log: each write with who did it and what it changed; and the seals that prove it was not altered. */

import { exactMoment, number, words } from "../lib/format.js";
import { useList, useResource } from "../lib/resource.js";
import { place, setQuery, urlPlace } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Copyable } from "../parts/copy.js";
import { Dialog } from "../parts/dialog.js";
import { SearchField, SelectField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, Waiting } from "../parts/notices.js";
import { Head, Tabs } from "../parts/tabs.js";

const TABS = [["log", "Log"], ["seals", "Seals"]];
const FILTERS = ["actorId", "action", "targetId"];
// People that the filter offers.
const CHOICES = 200;

export function Audit({ route, tab = "log" }) {
  return html`<${Head} title="Audit log" />
    <${Tabs} base=${["audit"]} tabs=${TABS} current=${tab} label="Parts of the audit log" />
    ${tab === "seals" ? html`<${Seals} route=${route} />` : html`<${Log} route=${route} />`}`;
}

function Log({ route }) {
  const may = useMay();
  const people = useResource(may("members:read") ? "/api/users" : "", { limit: CHOICES });
  const filters = Object.fromEntries(FILTERS.map((name) => [name, route.query[name] ?? ""]));
  const [where, move] = urlPlace(route);
  const [shown, setShown] = useState("");
  const list = useList("/api/audit-logs", filters, where, 25);
  const known = people.data?.data ?? [];
  const columns = [
    { title: "Write", cell: (entry) => html`<button type="button" class="quiet" onClick=${() => setShown(entry.id)}>
      ${words(entry.action)}</button>` },
    { title: "By", cell: (entry) => actorOf(entry, known) },
    { title: "About", cell: (entry) => (entry.targetId ? html`<code>${entry.targetId}</code>` : "–") },
    { title: "From", cell: (entry) => entry.ipAddress ?? "–" },
    { title: "Time", cell: (entry) => html`<${Moment} at=${entry.createdAt} />` },
  ];
  const set = (name) => (value) => setQuery({ [name]: value.trim() });
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="Person" value=${filters.actorId} onInput=${set("actorId")}
        options=${[["", "All"], ...known.map(({ id, email }) => [id, email])]} />
      <${SearchField} label="Action" value=${filters.action} onSearch=${set("action")} hint="Its whole name, such as update_agent." />
      <${SearchField} label="Id of what was changed" value=${filters.targetId} onSearch=${set("targetId")} /></form>
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Audit log" empty=${
      FILTERS.some((name) => filters[name])
        ? html`<${Empty} title="No write matches">Change or <a href=${place(["audit"])}>remove the filters</a>.<//>`
        : html`<${Empty} title="No write yet">Every change of the organization is listed here within seconds.<//>`} />
    ${shown && html`<${Entry} id=${shown} people=${known} onClose=${() => setShown("")} />`}`;
}

function actorOf(entry, people) {
  if (entry.apiKeyId) return html`API key <code>${entry.apiKeyId}</code>`;
  return people.find(({ id }) => id === entry.userId)?.email ?? entry.userId ?? entry.service;
}

function Entry({ id, people, onClose }) {
  const { data: entry, problem, reload } = useResource(`/api/audit-logs/${id}`);
  return html`<${Dialog} title=${entry ? words(entry.action) : "Write"} onClose=${onClose}>
    <${ProblemBox} problem=${problem} again=${reload} />
    ${!entry && !problem && html`<${Waiting} />`}
    ${entry && html`<${Facts} of=${[["By", actorOf(entry, people)], ["Role", entry.role], ["From", entry.ipAddress],
        ["Time", exactMoment(entry.createdAt)], ["Number", number(entry.number)],
        ["Action", html`<code>${entry.action}</code>`],
        ["About", entry.targetId && html`<${Copyable} text=${entry.targetId} what="the id" />`],
        ["Request", html`<${Copyable} text=${entry.requestId} what="the id of the request" />`]]} />
      <h3>What it changed</h3>${entry.changes.length ? html`<pre tabindex="0">${JSON.stringify(entry.changes, null, 2)}
        </pre>` : html`<p class="small">Nothing is recorded.</p>`}`}<//>`;
}

const SEALS = [
  { title: "Seal", cell: (seal) => number(seal.number) },
  { title: "Writes", cell: (seal) => `${number(seal.firstNumber)} to ${number(seal.lastNumber)}` },
  { title: "Hash", cell: (seal) => html`<code>${seal.hash}</code>` },
  { title: "Time", cell: (seal) => html`<${Moment} at=${seal.createdAt} />` },
];

function Seals({ route }) {
  const [where, move] = urlPlace(route);
  return html`<p class="small">Each minute's writes are sealed by a hash that contains the one before. A hash that you keep
      elsewhere proves later that nothing before it was changed.</p>
    <${List} path="/api/audit-seals" place=${where} setPlace=${move} columns=${SEALS} label="Seals"
      empty=${html`<${Empty} title="No seal yet">The first one follows a minute after the first write.<//>`} />`;
}
