/* One agent: its draft, its versions and what differs between two of them, its calls. */

import { send } from "../lib/api.js";
import { number } from "../lib/format.js";
import { useAct, useList, usePlace, useResource } from "../lib/resource.js";
import { go, place } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { AreaField, Form } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { Head, Tabs } from "../parts/tabs.js";
import { toast, toastProblem } from "../parts/toasts.js";
import { Draft } from "./agent-draft.js";
import { Versions } from "./agent-versions.js";
import { CallTable, NEWEST } from "./calls.js";

const TABS = [["draft", "Draft"], ["versions", "Versions"], ["calls", "Calls"]];

export function Agent({ id, tab = "draft" }) {
  const may = useMay();
  const agent = useResource(`/api/agents/${id}`);
  const { data, problem, reload } = agent;
  if (problem && !data) return html`<${Head} title="Agent" back=${[["agents"], "Agents"]} />
    <${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  const remove = () => send("DELETE", `/api/agents/${id}`, undefined, { version: data.version });
  const copy = () => send("POST", `/api/agents/${id}/duplicate`, {}).then((made) => {
    toast(`“${made.name}” is a copy of the draft.`);
    go(["agents", made.id]);
  }, toastProblem);
  return html`<${Head} title=${data.name} back=${[["agents"], "Agents"]}>
      <${State} of=${data.status} />${may("agents:write", id) && html`<${Publish} agent=${data} reload=${reload} />`}
      ${may("agents:write") && html`<button type="button" onClick=${copy}>Duplicate</button>`}
      ${may("agents:write", id) && html`<${Confirm} label="Delete" title="Delete this agent?"
        question="Its calls and their costs stay. The agent and its versions do not come back." act=${remove}
        done=${() => go(["agents"])} />`}<//>
    <p class="small">${data.publishedVersion ? `Version ${number(data.publishedVersion)} is published`
      : "Nothing is published yet"}${data.publishedVersion && data.hasUnpublishedChanges
      ? "; the draft has changed since" : ""}.
      Changed <${Moment} at=${data.updatedAt} />.</p>
    <${Tabs} base=${["agents", id]} tabs=${TABS} current=${tab} label="Parts of the agent" />
    ${tab === "draft" && html`<${Draft} key=${data.version} agent=${data} replace=${agent.replace} reload=${reload} />`}
    ${tab === "versions" && html`<${Versions} agent=${data} />`}
    ${tab === "calls" && html`<${AgentCalls} id=${id} />`}`;
}

function Publish({ agent, reload }) {
  const [open, setOpen] = useState(false);
  const [description, setDescription] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    const body = description ? { description } : {};
    const version = await send("POST", `/api/agents/${agent.id}/publish`, body, { version: agent.version });
    toast(`Version ${number(version.version)} is published.`);
    setOpen(false);
    setDescription("");
    reload();
  });
  return html`<button type="button" class="primary" onClick=${() => setOpen(true)}>Publish</button>
    ${open && html`<${Dialog} title="Publish the draft" onClose=${() => setOpen(false)}>
      <p>A version is what calls use. It never changes; the draft goes on.</p>
      <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Publish"
        extra=${html`<button type="button" onClick=${() => setOpen(false)}>Cancel</button>`}>
        <${AreaField} label="What is new" rows="3" maxlength="2000" value=${description} onInput=${setDescription}
          pointer="description" problem=${problem} />
      <//><//>`}`;
}

function AgentCalls({ id }) {
  const [where, move] = usePlace({ id });
  const list = useList("/api/call-logs", { agentId: id, ...NEWEST }, where, 25);
  if (list.data && list.rows.length === 0) return html`<${CallTable} rows=${[]} />`;
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${CallTable.columns}
    label="Calls of the agent" />
    <p><a href=${place(["calls"], { agentId: id })}>Search these calls</a></p>`;
}
