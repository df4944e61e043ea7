/* Calls: filter, search, and a page of rows that follows what happens. */

import { duration, price, words } from "../lib/format.js";
import { useRefresh } from "../lib/live.js";
import { useList, useResource } from "../lib/resource.js";
import { place, setQuery, urlPlace } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html } from "../lib/ui.js";
import { SearchField, SelectField, TextField } from "../parts/forms.js";
import { List, Table } from "../parts/list.js";
import { Empty, Moment, State } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";

const STATUSES = ["in_progress", "completed", "failed", "no_answer", "busy", "voicemail"];
const DIRECTIONS = ["inbound", "outbound", "web"];
/** Newest first by when they were held, not by when they were reported. */
export const NEWEST = { sort: "startedAt", order: "desc" };
const PLATFORMS = place(["developers", "providers"]);
const FILTERS = ["search", "status", "direction", "successful", "agentId", "startedAtGe", "startedAtLt"];

export function Calls({ route }) {
  const { user } = useSession();
  const may = useMay();
  const filters = Object.fromEntries(FILTERS.map((name) => [name, route.query[name] ?? ""]));
  const [where, move] = urlPlace(route);
  const list = useList("/api/call-logs", { ...filters, ...NEWEST }, where, 25);
  useRefresh(user.organization.id, "calls", list.reload);
  const filtered = FILTERS.some((name) => filters[name]);
  return html`<${Head} title="Calls" />
    <${Filters} filters=${filters} />
    <${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Calls" empty=${filtered
      ? html`<${Empty} title="No call matches">Change or <a href=${place(["calls"])}>remove the filters</a>.<//>`
      : html`<${Empty} title="No calls yet">Calls appear here as soon as a provider reports one.${may("integrations:write")
        && html` Connect a <a href=${PLATFORMS}>voice platform</a>, and enter the webhook address that you get there.`}
        <//>`} />`;
}

function Filters({ filters }) {
  const agents = useResource("/api/agents", { limit: 200, sort: "name", order: "asc" });
  const set = (name) => (value) => setQuery({ [name]: value });
  const choose = (names) => [["", "All"], ...names.map((name) => [name, words(name)])];
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <${SearchField} label="Search" value=${filters.search} onSearch=${set("search")}
      placeholder="Words of transcript, summary or title" />
    <${SelectField} label="Status" value=${filters.status} options=${choose(STATUSES)} onInput=${set("status")} />
    <${SelectField} label="Direction" value=${filters.direction} options=${choose(DIRECTIONS)}
      onInput=${set("direction")} />
    <${SelectField} label="Result" value=${filters.successful} onInput=${set("successful")}
      options=${[["", "All"], ["true", "Successful"], ["false", "Not successful"]]} />
    <${SelectField} label="Agent" value=${filters.agentId} onInput=${set("agentId")}
      options=${[["", "All"], ...(agents.data?.data ?? []).map(({ id, name }) => [id, name])]} />
    <${TextField} label="From" type="date" value=${dayOf(filters.startedAtGe)}
      onInput=${(value) => setQuery({ startedAtGe: dayStart(value, 0) })} />
    <${TextField} label="Until" type="date" value=${dayOf(filters.startedAtLt, 1)}
      onInput=${(value) => setQuery({ startedAtLt: dayStart(value, 1) })} />
  </form>`;
}

/** The first instant of a day in the reader's time zone, as the rows show times, or of one after it. */
function dayStart(day, later) {
  if (!day) return "";
  const [year, month, date] = day.split("-").map(Number);
  const start = new Date(0);
  start.setFullYear(year, month - 1, date + later); // `new Date` takes the year 2, which is on the way to 2026, for 1902
  start.setHours(0, 0, 0, 0);
  return start.toISOString();
}

/** The reader's day of an instant, or of the millisecond before it, as the field takes it: 2026-05-03. */
function dayOf(text, before = 0) {
  const time = new Date(Date.parse(text) - before);
  if (Number.isNaN(time.getTime())) return "";
  const parts = [[time.getFullYear(), 4], [time.getMonth() + 1, 2], [time.getDate(), 2]];
  return parts.map(([part, digits]) => String(part).padStart(digits, "0")).join("-");
}

const COLUMNS = [
  { title: "Call", cell: (call) => html`<a href=${place(["calls", call.id])}>
    ${call.title || call.summary || call.fromNumber || call.id}</a>` },
  { title: "Status", cell: (call) => html`<${State} of=${call.status} />` },
  { title: "Number", cell: (call) => (call.direction === "outbound" ? call.toNumber : call.fromNumber)
    ?? words(call.direction) },
  { title: "Length", kind: "number", cell: (call) => duration(call.durationSeconds) },
  { title: "Cost", kind: "number", cell: (call) => price(call.cost?.amount, call.cost?.currency) },
  { title: "Started", cell: (call) => html`<${Moment} at=${call.startedAt ?? call.createdAt} />` },
];

CallTable.columns = COLUMNS;

/** The same rows elsewhere. */
export function CallTable({ rows }) {
  return rows.length
    ? html`<${Table} rows=${rows} columns=${COLUMNS} label="Calls" />`
    : html`<${Empty} title="No calls yet">They appear here as soon as a provider reports one.<//>`;
}
