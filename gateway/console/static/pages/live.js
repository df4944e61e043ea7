/* What happens now: calls, jobs and events of the whole organization as they come over the socket. */

import { number, providerName, words } from "../lib/format.js";
import { REFRESH_MS, useChannels, useLiveState, useOrganizationChannels } from "../lib/live.js";
import { useResource } from "../lib/resource.js";
import { place, setQuery } from "../lib/router.js";
import { useLimited } from "../lib/session.js";
import { html, useInterval, useMemo, useState, useThrottled } from "../lib/ui.js";
import { EventList, withEvent } from "../parts/events.js";
import { SelectField } from "../parts/forms.js";
import { Table } from "../parts/list.js";
import { Empty, Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { Elapsed } from "./call.js";

// Events kept in view, and how many of each channel's past are shown at the start.
const KEPT = 200;
const PAST = 30;
const JOB_SECONDS = 3;

export function Live({ route }) {
  const channels = useOrganizationChannels();
  const state = useLiveState();
  const calls = useResource("/api/live-calls", { limit: 20 });
  const [said, setSaid] = useState({});
  const limited = useLimited();
  const jobs = useResource(limited ? "" : "/api/jobs", { state: "queued,running,scheduled", limit: 20 });
  useInterval(jobs.reload, JOB_SECONDS, !limited);
  const soon = useThrottled(calls.reload, REFRESH_MS);
  const [events, setEvents] = useState([]);
  useChannels(channels, (event) => {
    setEvents((known) => withEvent(known, event, KEPT));
    const { callId, text, index } = event.data ?? {};
    if (event.type === "call.turn") setSaid((known) => (known[callId]?.index > index ? known
      : { ...known, [callId]: { text, index } }));
    else if (event.type.startsWith("call.")) soon();
  }, { old: PAST });
  return html`<${Head} title="Live" />
    ${state === "failed" && html`<${ProblemBox}
      problem=${{ title: "The live connection is closed",
      detail: "Events do not arrive by themselves. Reload the page to connect again." }} />`}
    <section><h2>Calls in progress</h2>
      <${Rows} of=${calls} columns=${callColumns(said)} label="Calls in progress"
      empty=${html`<${Empty} title="No call in progress">A call is here from its start to its end, where the party that serves it tells of both. Open one to read along and to send it commands.<//>`} />
      </section>
    ${!limited && html`<section><h2>Jobs</h2><${Rows} of=${jobs} columns=${JOBS} label="Jobs"
      empty=${html`<${Empty} title="No job waits or runs">Uploads, reports of calls and deliveries make jobs.<//>`} />
      </section>`}
    <section><h2>Events</h2><${Events} route=${route} events=${events} connecting=${state === "connecting"} /></section>`;
}

function Rows({ of, columns, label, empty }) {
  if (of.problem) return html`<${ProblemBox} problem=${of.problem} again=${of.reload} />`;
  if (!of.data) return html`<${Waiting} />`;
  if (of.data.data.length === 0) return empty;
  return html`<${Table} rows=${of.data.data} columns=${columns} label=${label} />
    ${of.data.hasMore && html`<p class="small">${number(of.data.total)} in all; the newest are shown.</p>`}`;
}

const callColumns = (said) => [
  { title: "Call", cell: (call) => html`<a href=${place(["calls", call.id])}>
    ${call.title || call.fromNumber || call.id}</a>` },
  { title: "Direction", cell: (call) => words(call.direction) },
  { title: "Provider", cell: (call) => providerName(call.provider) },
  { title: "Length", kind: "number", cell: (call) => html`<${Elapsed} since=${call.startedAt} />` },
  { title: "Turns", kind: "number", cell: (call) => number(Math.max(call.turnCount, (said[call.id]?.index ?? -1) + 1)) },
  { title: "Said last", cell: (call) => said[call.id]?.text || "–" },
];
const JOBS = [
  { title: "Job", cell: (job) => html`<code>${job.kind}</code>` },
  { title: "State", cell: (job) => html`<${State} of=${job.state} />` },
  { title: "Progress", cell: (job) => html`<progress aria-label="Progress" max="100" value=${job.progress}>
    </progress>` },
  { title: "Attempt", kind: "number", cell: (job) => `${number(job.attempt)} of ${number(job.maxAttempts)}` },
  { title: "Created", cell: (job) => html`<${Moment} at=${job.createdAt} />` },
];

function Events({ events, connecting, route }) {
  const limited = useLimited();
  const { about: area = "" } = route.query;
  const [paused, setPaused] = useState(null);
  const all = paused ?? events;
  const areas = useMemo(() => [...new Set(all.map(({ type }) => type.split(".")[0]))].sort(), [all]);
  const shown = area ? all.filter(({ type }) => type.startsWith(`${area}.`)) : all;
  const missed = paused ? events.length - paused.length : 0;
  return html`<form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="About" value=${area}
        options=${[["", "Everything"], ...areas.map((name) => [name, words(name)])]} onInput=${(value) => setQuery({ about: value })} />
      <div class="field"><span class="label" aria-hidden="true"> </span>
        <button type="button" aria-pressed=${String(paused !== null)}
          onClick=${() => setPaused(paused ? null : events)}>
          ${paused ? `Continue${missed > 0 ? `, ${number(missed)} new` : ""}` : "Pause"}</button></div></form>
    ${shown.length ? html`<${EventList} events=${shown} />`
      : connecting ? html`<${Waiting} what="Connecting…" />`
        : html`<${Empty} title="No event yet">${limited ? "What changes in your agents and their calls appears here at once."
          : "Everything that changes in the organization appears here at once. Publish an agent or upload a document to see it."}<//>`}`;
}
