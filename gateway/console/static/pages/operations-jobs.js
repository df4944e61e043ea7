/* Jobs with their attempts, queues with their numbers, schedules with their times. */

import { send } from "../lib/api.js";
import { duration, number, words } from "../lib/format.js";
import { useList, useResource } from "../lib/resource.js";
import { setQuery, urlPlace } from "../lib/router.js";
import { html, useInterval, useState } from "../lib/ui.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { SelectField } from "../parts/forms.js";
import { List, Table } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, Stamp, State, Waiting } from "../parts/notices.js";
import { toast, toastProblem } from "../parts/toasts.js";

const STATES = ["scheduled", "queued", "running", "completed", "failed", "cancelled"];
const LOOK_SECONDS = 5;

export function Jobs({ route }) {
  const { state = "" } = route.query;
  const [where, move] = urlPlace(route);
  const list = useList("/api/jobs", { state }, where, 25);
  const [shown, setShown] = useState("");
  useInterval(list.reload, LOOK_SECONDS);
  const columns = [
    { title: "Job", cell: (job) => html`<button type="button" class="quiet" onClick=${() => setShown(job.id)}>
      ${job.kind}</button>` },
    { title: "State", cell: (job) => html`<${State} of=${job.state} />` },
    { title: "Queue", cell: (job) => `${job.service}/${job.queue}` },
    { title: "Progress", kind: "number", cell: (job) => `${number(job.progress)} %` },
    { title: "Attempt", kind: "number", cell: (job) => `${number(job.attempt)} of ${number(job.maxAttempts)}` },
    { title: "Created", cell: (job) => html`<${Moment} at=${job.createdAt} />` },
  ];
  return html`<form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="State" value=${state}
        options=${[["", "All"], ...STATES.map((name) => [name, words(name)])]}
        onInput=${(value) => setQuery({ state: value })} /></form>
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Jobs"
      empty=${html`<${Empty} title="No job">Uploads, reports of calls and deliveries are worked off as jobs.<//>`} />
    ${shown && html`<${Job} id=${shown} onClose=${() => setShown("")} changed=${list.reload} />`}`;
}

const ATTEMPTS = [
  { title: "Attempt", cell: (attempt) => number(attempt.attempt) },
  { title: "Outcome", cell: (attempt) => words(attempt.outcome) },
  { title: "Error", cell: (attempt) => (attempt.error ? `${attempt.error.code}: ${attempt.error.message}` : "–") },
  { title: "Started", cell: (attempt) => html`<${Stamp} at=${attempt.startedAt} />` },
];

export function Job({ id, onClose, changed }) {
  const { data: job, problem, reload } = useResource(`/api/jobs/${id}`);
  const act = (verb, said) => () => send("POST", `/api/jobs/${id}/${verb}`).then(() => {
    toast(said);
    reload();
    changed();
  }, toastProblem);
  return html`<${Dialog} title=${job?.kind ?? "Job"} onClose=${onClose}>
    <${ProblemBox} problem=${problem} again=${reload} />
    ${!job && !problem && html`<${Waiting} />`}
    ${job && html`<${Facts} of=${[["State", html`<${State} of=${job.state} />`],
      ["Queue", `${job.service}/${job.queue}`], ["Progress", `${number(job.progress)} %`],
      ["Created", html`<${Stamp} at=${job.createdAt} />`],
      ["Started", job.startedAt && html`<${Stamp} at=${job.startedAt} />`], ["Finished", job.finishedAt && html`<${Stamp} at=${job.finishedAt} />`],
      ["Id", html`<code>${job.id}</code>`]]} />
      ${job.error && html`<${ProblemBox} problem=${{ title: job.error.code, detail: job.error.message }} />`}
      ${job.attempts.length > 0 && html`<${Table} rows=${job.attempts} columns=${ATTEMPTS} label="Attempts" />`}
      <div class="actions">
        ${["failed", "cancelled"].includes(job.state)
          && html`<button type="button" class="primary"
          onClick=${act("retry", "The job runs again.")}>Run again</button>`}
        ${["scheduled", "queued", "running"].includes(job.state)
          && html`<button type="button" class="danger"
          onClick=${act("cancel", "The job is being cancelled.")}>Cancel the job</button>`}</div>`}<//>`;
}

export function Queues({ route }) {
  const [where, move] = urlPlace(route);
  const list = useList("/api/admin/queues", {}, where, 50);
  useInterval(list.reload, LOOK_SECONDS);
  const change = (queue) => () => send("POST",
    `/api/admin/queues/${queue.service}/${queue.name}/${queue.paused ? "resume" : "pause"}`);
  const columns = [
    { title: "Queue", cell: (queue) => `${queue.service}/${queue.name}` },
    { title: "Waiting", kind: "number", cell: (queue) => number(queue.waiting) },
    { title: "Active", kind: "number", cell: (queue) => number(queue.active) },
    { title: "Delayed", kind: "number", cell: (queue) => number(queue.delayed) },
    { title: "Failed", kind: "number", cell: (queue) => number(queue.failed) },
    { title: "Completed", kind: "number", cell: (queue) => number(queue.completed) },
    { title: "Oldest", kind: "number", cell: (queue) => duration(queue.oldestAgeSeconds) },
    { title: "Wait p95", kind: "number", cell: (queue) => `${number(queue.waitP95Seconds)} s` },
    { title: "Actions", cell: (queue) => html`<${Confirm} label=${queue.paused ? "Resume" : "Pause"}
      title="${queue.paused ? "Resume" : "Pause"} ${queue.service}/${queue.name}?"
      question=${queue.paused ? "Its jobs run again." : "Its jobs wait until it is resumed. Only operators may."}
        act=${change(queue)} done=${list.reload} />` },
  ];
  return html`<${List} read=${list} place=${where} setPlace=${move} limit=50 columns=${columns} label="Queues"
    empty=${html`<${Empty} title="No queue" />`} />`;
}

const SCHEDULES = [
  { title: "Schedule", cell: (schedule) => schedule.name },
  { title: "Job", cell: (schedule) => html`<code>${schedule.kind}</code>` },
  { title: "When", cell: (schedule) => html`<code>${schedule.cron}</code> ${schedule.timeZone}` },
  { title: "Next", cell: (schedule) => html`<${Moment} at=${schedule.nextFireAt} />` },
  { title: "Last", cell: (schedule) => html`<${Moment} at=${schedule.lastFireAt} />` },
];

export function Schedules({ route }) {
  const [where, move] = urlPlace(route);
  return html`<${List} path="/api/admin/schedules" place=${where} setPlace=${move} columns=${SCHEDULES}
    label="Schedules" empty=${html`<${Empty} title="No schedule" />`} />`;
}
