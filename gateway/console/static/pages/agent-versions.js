/* The versions of an agent, and what differs between any two of them or the draft. */

import { beside, differences } from "../lib/difference.js";
import { number } from "../lib/format.js";
import { useList, usePlace, useResource } from "../lib/resource.js";
import { html, useState } from "../lib/ui.js";
import { SelectField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, ProblemBox, Waiting } from "../parts/notices.js";

const COLUMNS = [
  { title: "Version", cell: (version) => `Version ${number(version.version)}` },
  { title: "What is new", cell: (version) => version.description ?? "–" },
  { title: "Published", cell: (version) => html`<${Moment} at=${version.createdAt} />` },
];
// Versions that can be chosen for a comparison: the newest.
const CHOICES = 200;

export function Versions({ agent }) {
  const [where, move] = usePlace({ version: agent.version });
  const list = useList(`/api/agents/${agent.id}/versions`, {}, where, 10);
  if (list.data && list.rows.length === 0) {
    return html`<${Empty} title="No version yet">Publish the draft; calls use the published version.<//>`;
  }
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Versions" />
    <section><h2>Compare</h2><${Comparison} agent=${agent} /></section>`;
}

function Comparison({ agent }) {
  const published = agent.publishedVersion ?? 1;
  const known = useResource(`/api/agents/${agent.id}/versions`, { limit: CHOICES });
  const [from, setFrom] = useState(String(published));
  const [to, setTo] = useState("draft");
  const versions = (known.data?.data ?? []).map(({ version }) => [String(version), `Version ${number(version)}`]);
  const options = [["draft", "Draft"], ...versions];
  const before = useConfiguration(agent, from);
  const after = useConfiguration(agent, to);
  const problem = before.problem ?? after.problem;
  return html`<form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="From" value=${from} options=${options} onInput=${setFrom} />
      <${SelectField} label="To" value=${to} options=${options} onInput=${setTo} /></form>
    <${ProblemBox} problem=${problem} />
    ${before.data && after.data ? html`<${Changes} before=${flat(before.data)} after=${flat(after.data)} />`
      : !problem && html`<${Waiting} />`}`;
}

function useConfiguration(agent, which) {
  const draft = useResource(which === "draft" ? `/api/agents/${agent.id}/draft` : "");
  const version = useResource(which === "draft" ? "" : `/api/agents/${agent.id}/versions/${which}`);
  return which === "draft" ? draft : { ...version, data: version.data?.configuration };
}

/** A configuration as pairs of a path and a text. */
function flat(value, path = "") {
  if (value === null || typeof value !== "object") return { [path]: value === null ? "" : String(value) };
  const below = (name) => (path ? `${path}.${name}` : name);
  return Object.assign({}, ...Object.entries(value).map(([name, inner]) => flat(inner, below(name))));
}

function Changes({ before, after }) {
  const all = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const names = all.filter((name) => (before[name] ?? "") !== (after[name] ?? ""));
  if (names.length === 0) return html`<${Empty} title="No difference" />`;
  return names.map((name) => html`<div key=${name} class="change"><h3><code>${name}</code></h3>
    <table class="difference" aria-label="What differs in ${name}"><thead><tr><th scope="col">From</th>
      <th scope="col">To</th></tr></thead><tbody>
      ${beside(differences(before[name] ?? "", after[name] ?? "")).map((pair, index) =>
        html`<tr key=${index}>${pair.map((row) => html`<${Line} row=${row} />`)}</tr>`)}</tbody></table></div>`);
}

const SIGNS = { in: "+", out: "−", same: " " };

function Line({ row }) {
  if (!row) return html`<td class="none"></td>`;
  return html`<td class=${row.kind}><i>${SIGNS[row.kind]}</i>${row.text}</td>`;
}
