/* One customer of an agency: what it uses, its settings, and the way into it. */

import { send } from "../lib/api.js";
import { count, duration, money, number, words } from "../lib/format.js";
import { useAct, useResource } from "../lib/resource.js";
import { enter, go } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Copyable } from "../parts/copy.js";
import { Confirm } from "../parts/dialog.js";
import { Form, TextField, ZoneField } from "../parts/forms.js";
import { Table } from "../parts/list.js";
import { Facts, Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { toast, toastProblem } from "../parts/toasts.js";
import { DAYS, lastDays } from "./billing.js";
import { Figure } from "./overview.js";

const BACK = [["customers"], "Customers"];

export function Customer({ id }) {
  const { user } = useSession();
  const may = useMay();
  const path = `/api/organizations/${user.organization.id}/children/${id}`;
  const { data: child, problem, reload, replace } = useResource(path);
  if (problem && !child) return html`<${Head} title="Customer" back=${BACK} />
    <${ProblemBox} problem=${problem} again=${reload} />`;
  if (!child) return html`<${Waiting} />`;
  const { version } = child;
  const turn = (status, said) => () => send("PATCH", path, { status }, { version }).then((fresh) => {
    replace(fresh);
    toast(said);
  });
  const isThere = child.status !== "archived";
  return html`<${Head} title=${child.name} back=${BACK}><${State} of=${child.status} />
      ${child.status === "active" && html`<button type="button" class="primary" onClick=${() => enter(id)}>
        Act in this customer</button>`}
      ${may("organizations:write") && isThere && html`${child.status === "active"
        ? html`<${Confirm} label="Suspend" title="Suspend ${child.name}?" kind="" verb="Suspend the customer"
          question="No session and no API key of the customer works until it is active again. Calls that its providers report are still recorded and billed."
          act=${turn("suspended", "The customer is suspended.")} />`
        : html`<button type="button" onClick=${() => turn("active", "The customer is active again.")().catch(toastProblem)}>
          Make active</button>`}
        <${Confirm} label="Archive" title="Archive ${child.name}?" verb="Archive for good"
          question="All access to it ends and does not come back. What it stored stays."
          act=${() => send("DELETE", path, undefined, { version })} done=${() => go(BACK[0])} />`}<//>
    <${Facts} of=${[["Time zone", child.timeZone], ["Since", html`<${Moment} at=${child.createdAt} />`],
      ["Id", html`<${Copyable} text=${child.id} what="the id" />`]]} />
    ${child.status === "active" ? html`<${Usage} id=${id} />`
      : html`<p class="small">What it uses is shown while it is active.</p>`}
    ${isThere && html`<section><h2>Settings</h2><${Settings} key=${version} of=${child} path=${path} replace=${replace} />
      </section>`}`;
}

/** Read in the customer, as it would read it itself. */
function Usage({ id }) {
  const may = useMay();
  const [window] = useState(lastDays);
  const sees = (scope, path) => (may(scope) ? path : "");
  const analytics = useResource(sees("calls:read", "/api/analytics/organization"), {}, id);
  const balance = useResource(sees("billing:read", "/api/billing/balance"), {}, id);
  const usage = useResource(sees("billing:read", "/api/billing/usage"),
    { ...window, groupBy: "meter,provider", limit: 200 }, id);
  const problem = analytics.problem ?? balance.problem ?? usage.problem;
  const again = () => [analytics, balance, usage].forEach(({ reload }) => reload());
  const calls = analytics.data;
  const spent = usage.data?.data.reduce((sum, { amount }) => sum + Math.abs(Number(amount)), 0);
  return html`<section><h2>Usage</h2><${ProblemBox} problem=${problem} again=${again} />
    ${!calls && !balance.data && !problem && html`<${Waiting} />`}
    <ul class="numbers">
      ${calls && html`<${Figure} name="Calls" value=${number(calls.totalCalls)}
          more=${calls.totalCalls ? `${number(calls.totalMinutes)} minutes, ${duration(calls.averageDurationSeconds)} on average`
            : "None yet"} />
        <${Figure} name="Agents" value=${number(calls.activeAgents)} more="With a call" />`}
      ${usage.data && html`<${Figure} name="Cost" value=${money(spent, usage.data.data[0]?.currency ?? "USD")}
        more="Last ${DAYS} days, ${count(usage.data.data.reduce((sum, { events }) => sum + events, 0), "event")}" />`}
      ${balance.data && html`<${Figure} name="Balance" value=${money(balance.data.available, balance.data.currency)}
        more="What calls may still cost" />`}</ul>
    ${usage.data?.data.length > 0 && html`<h3>By meter, last ${DAYS} days</h3>
      <${Table} rows=${usage.data.data} columns=${METERS} label="Usage of the customer by meter" />`}</section>`;
}

const METERS = [
  { title: "Meter", cell: (row) => words(row.meter) },
  { title: "Quantity", kind: "number", cell: (row) => number(Number(row.quantity)) },
  { title: "Events", kind: "number", cell: (row) => number(row.events) },
  { title: "Amount", kind: "number", cell: (row) => money(row.amount, row.currency) },
];

function Settings({ of: child, path, replace }) {
  const may = useMay();
  const [name, setName] = useState(child.name);
  const [timeZone, setTimeZone] = useState(child.timeZone);
  const dirty = name !== child.name || timeZone !== child.timeZone;
  const [run, { busy, problem }] = useAct(async () => {
    replace(await send("PATCH", path, { name: name.trim(), timeZone: timeZone.trim() }, { version: child.version }));
    toast("The customer is changed.");
  });
  return html`<${Form} onSubmit=${run} busy=${busy} ready=${dirty} problem=${problem}
    locked=${!may("organizations:write")} submit=${dirty ? "Save" : "Saved"}>
    <${TextField} label="Name" required maxlength="200" value=${name} onInput=${setName} pointer="name"
      problem=${problem} />
    <${ZoneField} value=${timeZone} onInput=${setTimeZone} problem=${problem} /><//>`;
}
