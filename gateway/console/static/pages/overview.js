/* The first page: how the organization does, in numbers, and its last calls. */

import { count, duration, money, number, utcDay } from "../lib/format.js";
import { useRefresh } from "../lib/live.js";
import { useResource } from "../lib/resource.js";
import { place } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html } from "../lib/ui.js";
import { Bars } from "../parts/charts.js";
import { ProblemBox, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { CallTable, NEWEST } from "./calls.js";

export function Overview() {
  const { user } = useSession();
  const may = useMay();
  const analytics = useResource("/api/analytics/organization");
  const series = useResource("/api/analytics/timeseries");
  const balance = useResource(may("billing:read") ? "/api/billing/balance" : "");
  const calls = useResource("/api/call-logs", { limit: 5, ...NEWEST });
  useRefresh(user.organization.id, "calls", () => [analytics, series, calls].forEach(({ reload }) => reload()));
  useRefresh(may("billing:read") ? user.organization.id : "", "billing", balance.reload);
  return html`<${Head} title=${user.organization.name} />
    <${Numbers} analytics=${analytics} balance=${balance} seesMoney=${may("billing:read")} />
    <section><h2>Calls a day</h2><${Series} of=${series} /></section>
    <section><h2>Latest calls</h2>
      <${ProblemBox} problem=${calls.problem} again=${calls.reload} />
      ${calls.data ? html`<${CallTable} rows=${calls.data.data} />` : !calls.problem && html`<${Waiting} />`}
      <p><a href=${place(["calls"])}>All calls</a></p></section>`;
}

function Numbers({ analytics, balance, seesMoney }) {
  const { data } = analytics;
  if (analytics.problem) return html`<${ProblemBox} problem=${analytics.problem} again=${analytics.reload} />`;
  if (!data) return html`<${Waiting} />`;
  const judged = data.successfulCalls + data.failedCalls;
  return html`<ul class="numbers">
    <${Figure} name="Calls" value=${number(data.totalCalls)} more=${`${number(data.totalMinutes)} minutes`} />
    <${Figure} name="Successful"
      value=${judged ? new Intl.NumberFormat(undefined, { style: "percent" }).format(data.successfulCalls / judged)
      : "–"}
      more=${`${number(data.successfulCalls)} of ${number(judged)} judged`} />
    <${Figure} name="Average call" value=${duration(data.averageDurationSeconds)}
      more=${count(data.activeAgents, "active agent")} />
    ${seesMoney && html`<${Figure} name="Balance" value=${balance.data ? money(balance.data.available, balance.data.currency) : "–"}
      more=${data.estimatedCost ? `${money(data.estimatedCost.amount, data.estimatedCost.currency)} spent on calls`
        : "Nothing spent on calls"} />`}
  </ul>`;
}

export function Figure({ name, value, more }) {
  return html`<li><span class="name">${name}</span><strong>${value}</strong><span class="small">${more}</span></li>`;
}

function Series({ of: { data, problem, reload } }) {
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  const bars = data.data.map(({ startAt, calls }) => ({ label: utcDay(startAt), value: calls,
    text: count(calls, "call") }));
  return html`<${Bars} title="Calls a day, last 30 days (UTC)" bars=${bars} format=${number} whole />`;
}
