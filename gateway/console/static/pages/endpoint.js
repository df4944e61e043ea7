/* One webhook endpoint: what it receives, its deliveries, test and replay. */

import { send } from "../lib/api.js";
import { count, number } from "../lib/format.js";
import { useAct, useList, useResource } from "../lib/resource.js";
import { go, setQuery, urlPlace } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html, useInterval, useState } from "../lib/ui.js";
import { Copyable } from "../parts/copy.js";
import { Confirm, Dialog, Secret } from "../parts/dialog.js";
import { Form, fromCommas, SelectField, TextField, toCommas } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { toast, toastProblem } from "../parts/toasts.js";

const BACK = [["developers", "webhooks"], "Webhooks"];
// Seconds between looks at the deliveries while some of them wait.
const LOOK_SECONDS = 3;

export function Endpoint({ id, route }) {
  const may = useMay();
  const path = `/api/webhook-endpoints/${id}`;
  const { data: endpoint, problem, reload, replace } = useResource(path);
  const [secret, setSecret] = useState("");
  if (problem && !endpoint) return html`<${Head} title="Webhook endpoint" back=${BACK} />
    <${ProblemBox} problem=${problem} again=${reload} />`;
  if (!endpoint) return html`<${Waiting} />`;
  const { version } = endpoint;
  const enabled = endpoint.status === "enabled";
  const change = { status: enabled ? "disabled" : "enabled" };
  const toggle = () => send("PATCH", path, change, { version }).then(replace, toastProblem);
  const rotate = async () => {
    const fresh = await send("POST", `${path}/rotate`, undefined, { version });
    setSecret(fresh.secret);
    reload();
  };
  return html`<${Head} title="Webhook endpoint" back=${BACK}><${State} of=${endpoint.status} />
      ${may("webhooks:write") && html`<${TestButton} path=${path} /><button type="button" onClick=${toggle}>${enabled ? "Disable" : "Enable"}</button>
      <${Replay} path=${path} />
      <${Confirm} label="Rotate secret" title="Rotate the secret?"
        question="Deliveries are signed with both secrets for 24 hours." act=${rotate} />
      <${Confirm} label="Delete" title="Delete this endpoint?" question="Deliveries that wait are given up."
        act=${() => send("DELETE", path, undefined, { version })} done=${() => go(BACK[0])} />`}<//>
    <p><code>${endpoint.url}</code></p>
    ${endpoint.failingSince && html`<div class="problem">
      <strong>Failing since <${Moment} at=${endpoint.failingSince} /></strong>
      <p>${count(endpoint.exhaustedDeliveries, "delivery", "deliveries")} ran out of attempts. It is disabled when that
        goes on.</p></div>`}
    <${Facts} of=${[["Events", endpoint.eventTypes.join(", ")], ["Content type", endpoint.contentType],
      ["Description", endpoint.description], ["Disabled because", endpoint.disabledReason],
      ["Last success", html`<${Moment} at=${endpoint.lastSuccessAt} />`],
      ["Last failure", html`<${Moment} at=${endpoint.lastFailureAt} />`],
      ["Id", html`<${Copyable} text=${endpoint.id} what="the id of the endpoint" />`]]} />
    ${may("webhooks:write") && html`<details class="card"><summary>Change</summary>
      <${Settings} key=${version} endpoint=${endpoint} path=${path} replace=${replace} /></details>`}
    <section><h2>Deliveries</h2><${Deliveries} path=${path} route=${route} /></section>
    ${secret && html`<${Secret} title="The new secret" secret=${secret}
      onClose=${() => setSecret("")}>Enter it at the receiver. It is shown this once.<//>`}`;
}

function TestButton({ path }) {
  const test = () => send("POST", `${path}/test`).then(() => toast("A test event is on its way."), toastProblem);
  return html`<button type="button" class="primary" onClick=${test}>Send a test</button>`;
}

function Replay({ path }) {
  const [open, setOpen] = useState(false);
  const [hours, setHours] = useState("24");
  const [from, setFrom] = useState("");
  const [until, setUntil] = useState("");
  const [types, setTypes] = useState("");
  const [missed, setMissed] = useState("missed");
  const [run, { busy, problem }] = useAct(async () => {
    const wanted = { ...rangeOf(hours, from, until), types: types.trim() ? fromCommas(types) : null, onlyUndelivered: missed === "missed" };
    const answer = await send("POST", `${path}/replay`, wanted);
    setOpen(false);
    toast(`${count(answer.events, "event is", "events are")} looked at; the job ${answer.jobId} delivers them again.`);
  });
  return html`<button type="button" onClick=${() => setOpen(true)}>Replay</button>
    ${open && html`<${Dialog} title="Deliver events again" onClose=${() => setOpen(false)}>
      <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Replay">
        <${SelectField} label="Events of the last" value=${hours} onInput=${setHours}
          options=${[["1", "hour"], ["24", "day"], ["168", "7 days"], ["720", "30 days"], ["", "a range"]]} />
        <${SelectField} label="Deliver" value=${missed} onInput=${setMissed}
          options=${[["missed", "What the endpoint has not taken"], ["all", "All of them"]]} />
        ${hours === "" && html`<${TextField} label="From" type="datetime-local" required value=${from}
            onInput=${setFrom} pointer="after" problem=${problem} />
          <${TextField} label="Until" type="datetime-local" hint="Empty: now." value=${until} onInput=${setUntil}
            pointer="before" problem=${problem} />`}
        <${TextField} label="Event types" wide value=${types} onInput=${setTypes} pointer="types" problem=${problem}
          hint="Separated by commas; empty: those of the endpoint." /><//><//>`}`;
}

/** The range of a replay: the last hours, or what a person entered in the time zone of the browser. */
function rangeOf(hours, from, until) {
  if (hours) return { after: new Date(Date.now() - Number(hours) * 3_600_000).toISOString() };
  return { after: new Date(from).toISOString(), ...(until && { before: new Date(until).toISOString() }) };
}

function Settings({ endpoint, path, replace }) {
  const [url, setUrl] = useState(endpoint.url);
  const [types, setTypes] = useState(toCommas(endpoint.eventTypes));
  const [description, setDescription] = useState(endpoint.description ?? "");
  const [run, { busy, problem }] = useAct(async () => {
    const change = { url: url.trim(), eventTypes: fromCommas(types), description: description || null };
    replace(await send("PATCH", path, change, { version: endpoint.version }));
    toast("The endpoint is changed.");
  });
  return html`<${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Save">
    <${TextField} label="Address" type="url" required wide value=${url} onInput=${setUrl} pointer="url"
      problem=${problem} />
    <${TextField} label="Event types" required wide hint="Separated by commas, such as call.ended, call.* or *."
      value=${types} onInput=${setTypes} pointer="eventTypes" problem=${problem} />
    <${TextField} label="Description" wide value=${description} onInput=${setDescription} pointer="description"
      problem=${problem} /><//>`;
}

function Deliveries({ path, route }) {
  const may = useMay();
  const { status = "", eventType = "" } = route.query;
  const [shown, setShown] = useState("");
  const [where, move] = urlPlace(route);
  const list = useList(`${path}/deliveries`, { status, eventType }, where, 25);
  useInterval(list.reload, LOOK_SECONDS);
  // Those that the page shows, and the one that is chosen.
  const types = [...new Set([...list.rows.map((delivery) => delivery.eventType), eventType])].filter(Boolean).sort();
  const again = (delivery) => () => send("POST", `${path}/deliveries/${delivery.id}/replay`).then(
    () => {
      toast("The event is delivered again.");
      list.reload();
    }, toastProblem);
  const columns = [
    { title: "Event", cell: (delivery) => html`${delivery.eventType}<div class="small">${delivery.eventId}</div>` },
    { title: "Status", cell: (delivery) => html`<${State} of=${delivery.status} />` },
    { title: "Attempts", kind: "number", cell: (delivery) => number(delivery.attempts) },
    // An error names the status, where there was one.
    { title: "Answer", cell: (delivery) => delivery.lastError ?? delivery.lastStatusCode ?? "–" },
    { title: "Created", cell: (delivery) => html`<${Moment} at=${delivery.createdAt} />` },
    { title: "Next attempt", cell: (delivery) => html`<${Moment}
      at=${delivery.status === "pending" ? delivery.nextAttemptAt : null} />` },
    { title: "Actions", cell: (delivery) => html`<span class="row-actions"><button
      type="button" class="quiet" onClick=${() => setShown(delivery.id)}>Show</button>${may("webhooks:write")
      && html`<button type="button" class="quiet" onClick=${again(delivery)}>Deliver again</button>`}</span>` },
  ];
  return html`<form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="Status" value=${status} onInput=${(value) => setQuery({ status: value })}
        options=${[["", "All"], ["pending", "Pending"], ["delivered", "Delivered"], ["failed", "Failed"]]} />
      <${SelectField} label="Event" value=${eventType} onInput=${(value) => setQuery({ eventType: value })}
        options=${[["", "All"], ...types.map((type) => [type, type])]} /></form>
    ${shown && html`<${Log} path=${`${path}/deliveries/${shown}`} onClose=${() => setShown("")} />`}
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Deliveries"
      empty=${html`<${Empty} title="No delivery">${status || eventType ? "None matches." : "“Send a test” delivers one."}
        <//>`} />`;
}

/* What was sent and what came back, attempt by attempt. */
function Log({ path, onClose }) {
  const { data: delivery, problem } = useResource(path);
  return html`<${Dialog} title="Delivery" onClose=${onClose}>
    ${problem && html`<${ProblemBox} problem=${problem} />`}
    ${!delivery && !problem && html`<${Waiting} />`}
    ${delivery && html`<${Facts} of=${[["Event", delivery.eventType], ["Event id", html`<code>${delivery.eventId}</code>`],
        ["Message id", html`<code>${delivery.id}</code>`], ["Status", html`<${State} of=${delivery.status} />`]]} />
      <details><summary>Body that is sent</summary><pre>${pretty(delivery.requestBody)}</pre></details>
      ${delivery.log.length === 0 && html`<p>No attempt yet.</p>`}
      ${delivery.log.map((attempt) => html`<details key=${attempt.number} open=${attempt.number === delivery.attempts}>
        <summary>Attempt ${attempt.number}: ${attempt.statusCode ?? attempt.error},
          ${" "}${number(attempt.durationMs)} ms, <${Moment} at=${attempt.startedAt} /></summary>
        <h3>Request</h3><pre>${fields(attempt.requestHeaders)}</pre>
        <h3>Response</h3><pre>${fields(attempt.responseHeaders)}\n\n${attempt.responseBody}</pre></details>`)}`}<//>`;
}

const fields = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("\n");

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
