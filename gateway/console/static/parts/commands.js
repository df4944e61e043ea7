/* Commands to a call that runs: sent, then acknowledged by the party that serves the call, refused, or timed out. */

import { send } from "../lib/api.js";
import { number, words } from "../lib/format.js";
import { REFRESH_MS, useChannels } from "../lib/live.js";
import { useAct, useList, usePlace } from "../lib/resource.js";
import { useMay } from "../lib/session.js";
import { html, useInterval, useState, useThrottled } from "../lib/ui.js";
import { Dialog } from "./dialog.js";
import { AreaField, Form, SelectField, TextField } from "./forms.js";
import { List } from "./list.js";
import { Empty, Moment, State } from "./notices.js";

const KINDS = {
  inject_context: { title: "Tell the agent", submit: "Send", field: "context", label: "What the agent should know" },
  transfer: { title: "Transfer the call", submit: "Transfer", field: "to", label: "Number or address to transfer to" },
  end_call: { title: "End the call", submit: "End the call" },
};
const TIMEOUTS = [["10", "10 seconds"], ["30", "30 seconds"], ["60", "One minute"], ["300", "5 minutes"]];
// Seconds between looks at commands that wait; the call's channel usually tells earlier.
const LOOK_SECONDS = 3;

export function Commands({ call }) {
  const may = useMay();
  const runs = call.status === "in_progress";
  const [asked, setAsked] = useState("");
  const [where, move] = usePlace();
  const list = useList(`/api/live-calls/${call.id}/commands`, {}, where, 10);
  const waits = list.rows.some(({ status }) => status === "pending");
  const soon = useThrottled(list.reload, REFRESH_MS);
  useChannels([`call:${call.id}`], ({ type }) => type.startsWith("call.command_") && soon());
  useInterval(list.reload, LOOK_SECONDS, waits);
  const [, setTick] = useState(0);
  useInterval(() => setTick((tick) => tick + 1), 1, waits);
  if (!runs && list.rows.length === 0) return null;
  return html`<section aria-label="Commands"><div class="head"><h2>Commands</h2>${runs && may("calls:write", call.agentId)
      && html`<div class="head-actions">${Object.entries(KINDS).map(([type, { title }]) => html`<button type="button"
        key=${type} class=${type === "end_call" ? "danger" : ""} onClick=${() => setAsked(type)}>${title}</button>`)}
        </div>`}</div>
    <${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Commands"
      empty=${html`<${Empty} title="No command">A command goes to the party that serves the call, and its answer appears here.<//>`} />
    ${asked && html`<${Command} key=${asked} type=${asked} callId=${call.id} onClose=${() => setAsked("")}
      done=${() => { setAsked(""); list.reload(); }} />`}</section>`;
}

const COLUMNS = [
  { title: "Command", cell: (command) => html`${words(command.type)}
    ${(command.to ?? command.context) && html`<div class="small">${command.to ?? command.context}</div>`}` },
  { title: "State", cell: (command) => html`<${State} of=${command.status} />${" "}
    <span class="small">${command.status === "pending" ? leftOf(command) : command.detail}</span>` },
  { title: "Reason", cell: (command) => command.reason ?? "–" },
  { title: "Sent", cell: (command) => html`<${Moment} at=${command.createdAt} />` },
  { title: "Settled", cell: (command) => html`<${Moment} at=${command.settledAt} />` },
];

function leftOf({ expiresAt }) {
  const seconds = Math.ceil((new Date(expiresAt).getTime() - Date.now()) / 1000);
  return seconds > 0 ? `${number(seconds)} s left` : "about to time out";
}

function Command({ type, callId, onClose, done }) {
  const { title, submit, field, label } = KINDS[type];
  const [text, setText] = useState("");
  const [reason, setReason] = useState("");
  const [timeout, setTimeout] = useState("30");
  const [run, { busy, problem }] = useAct(async () => {
    await send("POST", `/api/live-calls/${callId}/commands`, { type, timeoutSeconds: Number(timeout),
      ...(field && { [field]: text.trim() }), ...(reason.trim() && { reason: reason.trim() }) });
    done();
  });
  const Text = type === "inject_context" ? AreaField : TextField;
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit=${submit}
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      ${field && html`<${Text} label=${label} required wide value=${text} onInput=${setText} pointer=${field}
        problem=${problem} />`}
      <${TextField} label="Reason" maxlength="500" wide value=${reason} onInput=${setReason} pointer="reason"
        problem=${problem} />
      <${SelectField} label="Give up after" value=${timeout} options=${TIMEOUTS} onInput=${setTimeout}
        pointer="timeoutSeconds" problem=${problem} /><//><//>`;
}
