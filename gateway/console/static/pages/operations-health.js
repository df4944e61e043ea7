/* Whether the suite serves. Everyone sees what the public health route says; operators of the platform also the last hour
   in charts, and each service, cache and queue. */

import { get } from "../lib/api.js";
import { duration, number, share, words } from "../lib/format.js";
import { useResource } from "../lib/resource.js";
import { useMay } from "../lib/session.js";
import { html, useEffect, useInterval, useState } from "../lib/ui.js";
import { Lines } from "../parts/lines.js";
import { Table } from "../parts/list.js";
import { ProblemBox, State, Waiting } from "../parts/notices.js";
import { Figure } from "./overview.js";

const LOOK_SECONDS = 5;
// A new point comes every ten seconds while requests come; an hour of them is kept.
const POINT_SECONDS = 10;
const KEPT = 360;

export function Health() {
  const { data: answer, problem, reload } = useResource("/health");
  useInterval(reload, LOOK_SECONDS);
  // An unhealthy suite answers 503 with the same members.
  const data = problem?.document.connections ? problem.document : problem ? null : answer;
  return html`${data ? html`<${Summary} of=${data} />` : problem
    ? html`<${ProblemBox} problem=${problem} again=${reload} />` : html`<${Waiting} />`}<${Suite} />`;
}

function Summary({ of: { status, uptime, connections, pool } }) {
  const reached = Object.entries(connections);
  return html`<ul class="numbers">
    <${Figure} name="Suite" value=${words(status)} more="This gateway runs for ${duration(uptime)}" />
    ${reached.map(([name, state]) => html`<${Figure} key=${name} name=${words(name)} value=${words(state)}
      more="As the services reach it" />`)}
    <${Figure} name="Database connections" value="${number(pool.active)} in use"
      more="${number(pool.idle)} idle, ${number(pool.total)} at most" /></ul>`;
}

/** The last hour, point by point: the first answer has all of them, each later one what is new. */
function useFigures() {
  const [state, setState] = useState({ data: null, problem: null });
  const look = () => {
    const after = state.data?.points.at(-1)?.time;
    return get("/api/admin/figures", { after }).then((data) => setState(({ data: known }) => ({ problem: null,
      data: { ...data, points: [...(known?.points ?? []), ...data.points].slice(-KEPT) } })),
    (problem) => setState((known) => ({ ...known, problem })));
  };
  // The platform's own organization is one of those whose owners and admins may do everything.
  const isOperator = useMay()("*") && state.problem?.status !== 403;
  useEffect(() => {
    if (isOperator) look();
  }, []);
  useInterval(look, POINT_SECONDS, isOperator);
  return { ...state, isOperator, look };
}

function Suite() {
  const { data, problem, isOperator, look } = useFigures();
  if (!isOperator) return html`<p class="small">Charts of the whole suite are for the platform's own organization.</p>`;
  if (problem && !data) return html`<${ProblemBox} problem=${problem} again=${look} />`;
  if (!data) return html`<${Waiting} />`;
  return html`<section><h2>The last hour</h2>
      <p class="small">${data.gateways.length === 1 ? "One gateway" : `${number(data.gateways.length)} gateways`} together,
        one replica of each service. A point every ten seconds while requests come, else every minute; response times and
        errors are of the minute before.</p>
      <${ProblemBox} problem=${problem} />
      ${data.points.length ? html`<div class="charts">${charts(data.points)}</div>`
        : html`<${Waiting} what="The first point comes within ten seconds." />`}</section>
    <section><h2>Services</h2><${Table} rows=${data.services} columns=${SERVICES} label="Services" /></section>
    <section><h2>Queues</h2><p class="small">Of all organizations together, the busiest first.</p>
      <${Table} rows=${[...data.queues].sort(byWork)} columns=${QUEUES} label="Queues of all organizations" /></section>
    <section><h2>Caches</h2><p class="small">Since the gateways started.</p>
      <${Table} rows=${data.caches} columns=${CACHES} label="Caches" /></section>`;
}

const milliseconds = (value) => (value === undefined ? "–" : `${number(value)} ms`);
const seconds = (value) => (value === undefined ? "–" : `${number(value)} s`);
const plain = (value) => number(value);
// Title, how values are written, and the lines: names with the field of a point, or the field that has values by name.
const CHARTS = [
  ["Response time", milliseconds, { p50: "p50Ms", p95: "p95Ms", p99: "p99Ms" }],
  ["Requests a second", plain, { requests: "requestsPerSecond" }],
  ["Errors a second", plain, { "refused (4xx)": "errors4xxPerSecond", "failed (5xx)": "errors5xxPerSecond" }],
  ["Cache hit ratio by class", (value) => share(value), "cacheHitRatio"],
  ["Cache: age of the last heartbeat", seconds, "cacheHeartbeatSeconds"],
  ["Outbox: age of the oldest event", seconds, "outboxLagSeconds"],
  ["Jobs waiting", plain, { jobs: "jobsWaiting" }],
  ["Jobs: slowest queue's p95", seconds, { p95: "jobRunP95Seconds" }],
  ["Sockets", plain, { open: "sockets" }],
  ["Database connections", plain, { "in use": "poolActive" }],
  ["Memory by service", (value) => (value === undefined ? "–" : `${number(value)} MiB`), "memoryMib"],
  ["CPU by service", (value) => (value === undefined ? "–" : `${number(value)} cores`), "cpuCores"],
];

function charts(points) {
  const times = points.map(({ time }) => time);
  return CHARTS.map(([title, format, fields]) => {
    const lines = linesOf(fields, points);
    return lines.length > 0 && html`<${Lines} key=${title} title=${title} times=${times} lines=${lines} format=${format} />`;
  });
}

/** The lines of a chart. Classes of cache without Redis have no heartbeat, so a name whose values are all 0 has none. */
function linesOf(fields, points) {
  if (typeof fields !== "string") {
    return Object.entries(fields).map(([name, field]) => ({ name, values: points.map((point) => point[field]) }));
  }
  const names = [...new Set(points.flatMap((point) => Object.keys(point[fields])))].sort();
  const lines = names.map((name) => ({ name: words(name), values: points.map((point) => point[fields][name]) }));
  return fields === "cacheHeartbeatSeconds" ? lines.filter(({ values }) => values.some((value) => value > 0)) : lines;
}

const SERVICES = [
  { title: "Service", cell: ({ service }) => words(service) },
  { title: "State", cell: ({ status }) => html`<${State} of=${status} />` },
  { title: "Release", cell: ({ release }) => release ?? "–" },
  { title: "Runs for", kind: "number", cell: ({ uptime }) => duration(uptime) },
  { title: "Memory", kind: "number", cell: ({ memoryMib }) => (memoryMib === null ? "–" : `${number(memoryMib)} MiB`) },
  { title: "Connections", kind: "number", cell: ({ pool }) => (pool ? `${number(pool.active)} of ${number(pool.total)}`
    : "–") },
  { title: "Outbox lag", kind: "number", cell: ({ outboxLagSeconds: lag }) => (lag === null ? "–" : seconds(lag)) },
  { title: "Dead events", kind: "number", cell: ({ deadEvents }) => number(deadEvents) },
];

const byWork = (one, other) => other.waiting + other.active + other.failed - one.waiting - one.active - one.failed
  || other.completed - one.completed;
const QUEUES = [
  { title: "Queue", cell: (queue) => html`${queue.service}/${queue.name}${queue.paused ? " (paused)" : ""}` },
  { title: "Waiting", kind: "number", cell: (queue) => number(queue.waiting) },
  { title: "Active", kind: "number", cell: (queue) => number(queue.active) },
  { title: "Delayed", kind: "number", cell: (queue) => number(queue.delayed) },
  { title: "Failed", kind: "number", cell: (queue) => number(queue.failed) },
  { title: "Completed", kind: "number", cell: (queue) => number(queue.completed) },
  { title: "Oldest", kind: "number", cell: (queue) => duration(queue.oldestAgeSeconds) },
  { title: "Wait p95", kind: "number", cell: (queue) => seconds(queue.waitP95Seconds) },
  { title: "Run p95", kind: "number", cell: (queue) => seconds(queue.runP95Seconds) },
];

const CACHES = [
  { title: "Class", cell: ({ name }) => words(name) },
  { title: "Hit ratio", kind: "number", cell: ({ hits, misses }) => share(hits + misses ? hits / (hits + misses) : null) },
  { title: "Hits", kind: "number", cell: ({ hits }) => number(hits) },
  { title: "Misses", kind: "number", cell: ({ misses }) => number(misses) },
  { title: "Stale answers", kind: "number", cell: ({ staleAnswers }) => number(staleAnswers) },
  { title: "Heartbeat", kind: "number", cell: ({ heartbeatSeconds: age }) => (age ? seconds(age) : "–") },
];
