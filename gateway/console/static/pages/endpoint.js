/* One webhook endpoint: what it receives, its deliveries, test and replay. */

import { send } from "../lib/api.js";
import { count, number } from "../lib/format.js";
import { useAct, useList, usePlace, useResource } from "../lib/resource.js";
import { go } from "../lib/router.js";
import { html, useInterval, useState } from "../lib/ui.js";
import { Confirm, Secret } from "../parts/dialog.js";
import { Form, fromCommas, SelectField, TextField, toCommas } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { toast, toastProblem } from "../parts/toasts.js";

const BACK = [["developers", "webhooks"], "Webhooks"];
// Seconds between looks at the deliveries while some of them wait.
const LOOK_SECONDS = 3;

export function Endpoint({ id }) {
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
      <${TestButton} path=${path} /><button type="button" onClick=${toggle}>${enabled ? "Disable" : "Enable"}</button>
      <${Confirm} label="Rotate secret" title="Rotate the secret?"
        question="Deliveries are signed with both secrets for 24 hours." act=${rotate} />
      <${Confirm} label="Delete" title="Delete this endpoint?" question="Deliveries that wait are given up."
        act=${() => send("DELETE", path, undefined, { version })} done=${() => go(BACK[0])} /><//>
    <p><code>${endpoint.url}</code></p>
    ${endpoint.failingSince && html`<div class="problem">
      <strong>Failing since <${Moment} at=${endpoint.failingSince} /></strong>
      <p>${count(endpoint.exhaustedDeliveries, "delivery", "deliveries")} ran out of attempts. It is disabled when that
        goes on.</p></div>`}
    <${Facts} of=${[["Events", endpoint.eventTypes.join(", ")], ["Content type", endpoint.contentType],
      ["Description", endpoint.description], ["Disabled because", endpoint.disabledReason],
      ["Last success", html`<${Moment} at=${endpoint.lastSuccessAt} />`],
      ["Last failure", html`<${Moment} at=${endpoint.lastFailureAt} />`],
      ["Id", html`<code>${endpoint.id}</code>`]]} />
    <details class="card"><summary>Change</summary>
      <${Settings} key=${version} endpoint=${endpoint} path=${path} replace=${replace} /></details>
    <section><h2>Deliveries</h2><${Deliveries} path=${path} /></section>
    ${secret && html`<${Secret} title="The new secret" secret=${secret}
      onClose=${() => setSecret("")}>Enter it at the receiver. It is shown this once.<//>`}`;
}

function TestButton({ path }) {
  const test = () => send("POST", `${path}/test`).then(() => toast("A test event is on its way."), toastProblem);
  return html`<button type="button" class="primary" onClick=${test}>Send a test</button>`;
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

function Deliveries({ path }) {
  const [status, setStatus] = useState("");
  const [where, move] = usePlace({ status });
  const list = useList(`${path}/deliveries`, { status }, where, 25);
  useInterval(list.reload, LOOK_SECONDS);
  const again = (delivery) => () => send("POST", `${path}/deliveries/${delivery.id}/replay`).then(
    () => {
      toast("The event is delivered again.");
      list.reload();
    }, toastProblem);
  const columns = [
    { title: "Event", cell: (delivery) => html`${delivery.eventType}<div class="small">${delivery.eventId}</div>` },
    { title: "Status", cell: (delivery) => html`<${State} of=${delivery.status} />` },
    { title: "Attempts", kind: "number", cell: (delivery) => number(delivery.attempts) },
    { title: "Answer", cell: (delivery) => [delivery.lastStatusCode, delivery.lastError].filter(Boolean).join(" ")
      || "–" },
    { title: "Created", cell: (delivery) => html`<${Moment} at=${delivery.createdAt} />` },
    { title: "Next attempt", cell: (delivery) => html`<${Moment}
      at=${delivery.status === "pending" ? delivery.nextAttemptAt : null} />` },
    { title: "Actions", cell: (delivery) => html`<button type="button" class="quiet"
      onClick=${again(delivery)}>Deliver again</button>` },
  ];
  return html`<form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="Status" value=${status} onInput=${setStatus}
        options=${[["", "All"], ["pending", "Pending"], ["delivered", "Delivered"], ["failed", "Failed"]]} /></form>
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Deliveries"
      empty=${html`<${Empty} title="No delivery">${status ? "None has this status." : "“Send a test” delivers one."}
        <//>`} />`;
}
