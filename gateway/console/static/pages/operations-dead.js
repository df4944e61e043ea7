/* What was given up after its last attempt: jobs (dead letters) and events. Each can be handled again. */

import { send } from "../lib/api.js";
import { count, number } from "../lib/format.js";
import { useList } from "../lib/resource.js";
import { urlPlace } from "../lib/router.js";
import { html, useState } from "../lib/ui.js";
import { List } from "../parts/list.js";
import { Empty, Moment } from "../parts/notices.js";
import { toast, toastProblem } from "../parts/toasts.js";
import { Job } from "./operations-jobs.js";

function replayer(path, reload) {
  return (id) => () => send("POST", `${path}/replay`, { ids: [id] }).then(({ replayed }) => {
    toast(`${count(replayed, "entry", "entries")} will be handled again.`);
    reload();
  }, toastProblem);
}

export function DeadLetters({ route }) {
  const [where, move] = urlPlace(route);
  const list = useList("/api/admin/dead-letters", {}, where, 25);
  const [shown, setShown] = useState("");
  const replay = replayer("/api/admin/dead-letters", list.reload);
  const columns = [
    { title: "Job", cell: (job) => html`<button type="button" class="quiet" onClick=${() => setShown(job.id)}>
      ${job.kind}</button>` },
    { title: "Error", cell: (job) => (job.error ? `${job.error.code}: ${job.error.message}` : "–") },
    { title: "Attempts", kind: "number", cell: (job) => number(job.attempt) },
    { title: "Given up", cell: (job) => html`<${Moment} at=${job.finishedAt} />` },
    { title: "Actions", cell: (job) => html`<button type="button" class="quiet"
      onClick=${replay(job.id)}>Run again</button>` },
  ];
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Dead letters"
      empty=${html`<${Empty} title="No dead letter">A job comes here when its last attempt has failed.<//>`} />
    ${shown && html`<${Job} id=${shown} onClose=${() => setShown("")} changed=${list.reload} />`}`;
}

export function DeadEvents({ route }) {
  const [where, move] = urlPlace(route);
  const list = useList("/api/admin/dead-events", {}, where, 25);
  const replay = replayer("/api/admin/dead-events", list.reload);
  const columns = [
    { title: "Event", cell: (event) => event.topic },
    { title: "Given up by", cell: (event) => `${event.service}/${event.consumer}` },
    { title: "Error", cell: (event) => `${event.error.code}: ${event.error.message}` },
    { title: "Tries", kind: "number", cell: (event) => number(event.tries) },
    { title: "Given up", cell: (event) => html`<${Moment} at=${event.diedAt} />` },
    { title: "Actions", cell: (event) => (event.replaying ? "Waits"
      : html`<button type="button" class="quiet" onClick=${replay(event.id)}>Handle again</button>`) },
  ];
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Dead events"
    empty=${html`<${Empty} title="No dead event">An event comes here when a service could not handle it.<//>`} />`;
}
