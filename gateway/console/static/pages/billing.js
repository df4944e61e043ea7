/* Money: the balance, what was used day by day, and every entry of the ledger. */

import { freshKey, get, send } from "../lib/api.js";
import { count, money, number, price, providerName, utcDay, words } from "../lib/format.js";
import { useRefresh } from "../lib/live.js";
import { useAct, useList, useResource } from "../lib/resource.js";
import { place, setQuery, urlPlace } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html, useMemo, useState } from "../lib/ui.js";
import { Bars } from "../parts/charts.js";
import { Dialog } from "../parts/dialog.js";
import { Form, SelectField, TextField } from "../parts/forms.js";
import { List, Table } from "../parts/list.js";
import { Empty, Moment, ProblemBox, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";
import { toast } from "../parts/toasts.js";
import { Figure } from "./overview.js";

export const DAYS = 30;
const TYPES = ["grant", "top_up", "usage", "adjustment", "refund"];

export function Billing({ route }) {
  const { user } = useSession();
  const may = useMay();
  const balance = useResource("/api/billing/balance");
  const [window] = useState(lastDays);
  const daily = useResource("/api/billing/usage", { ...window, groupBy: "day", limit: 200 });
  const meters = useResource("/api/billing/usage", { ...window, groupBy: "meter,provider", limit: 200 });
  const type = route.query.type ?? "";
  const [where, move] = urlPlace(route);
  const ledger = useList("/api/billing/ledger", { type }, where, 25);
  useRefresh(user.organization.id, "billing", () => [balance, daily, meters, ledger].forEach(({ reload }) => reload()));
  return html`<${Head} title="Billing">${may("billing:write") && html`<${TopUp} done=${balance.reload} />`}<//>
    <${Balance} of=${balance} />
    <section><h2>Usage</h2><${Daily} of=${daily} window=${window} /><${Meters} of=${meters} /></section>
    <section><h2>Ledger</h2>
      <form class="filters" onSubmit=${(event) => event.preventDefault()}>
        <${SelectField} label="Type" value=${type}
          options=${[["", "All"], ...TYPES.map((name) => [name, words(name)])]}
          onInput=${(value) => setQuery({ type: value })} /></form>
      <${List} read=${ledger} place=${where} setPlace=${move} columns=${LEDGER} label="Ledger"
        empty=${html`<${Empty} title="No entry">
          ${type ? "No entry has this type." : "Grants, top-ups and every call appear here."}<//>`} />
      <${Reconciliation} window=${window} /></section>`;
}

/** Whether calls, usage and ledger agree, call by call, when someone asks. */
function Reconciliation({ window }) {
  const [found, setFound] = useState(null);
  const [run, { busy, problem }] = useAct(async () => setFound(await get("/api/billing/reconcile", window)));
  return html`<p><button type="button" disabled=${busy} onClick=${run}>Compare with the calls</button></p>
    <${ProblemBox} problem=${problem} />
    ${found && html`<p role="status">${comparison(found)}</p>`}
    ${found?.differences.length > 0
      && html`<${Table} rows=${found.differences} columns=${DIFFERENCES} label="Differences" />`}`;
}

function comparison({ calls, usageEvents, ledgerEntries, differences }) {
  const entries = count(ledgerEntries, "ledger entry", "ledger entries");
  const differ = differences.length ? count(differences.length, "difference") : "no difference";
  return `${count(calls, "call")}, ${count(usageEvents, "usage event")} and ${entries} of the last ${DAYS} days: ${differ}.`;
}

const DIFFERENCES = [
  { title: "Kind", cell: (row) => words(row.kind) },
  { title: "What differs", cell: (row) => row.detail },
  { title: "Call", cell: (row) => (row.callId ? html`<a href=${place(["calls", row.callId])}>Open</a>` : "–") },
];

/** The last DAYS days with today, in UTC as the API groups them. */
export function lastDays() {
  const end = new Date();
  end.setUTCHours(24, 0, 0, 0);
  return { from: new Date(end.getTime() - DAYS * 86_400_000).toISOString(), to: end.toISOString() };
}

function Balance({ of: { data, problem, reload } }) {
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  return html`<ul class="numbers">
    <${Figure} name="Available" value=${money(data.available, data.currency)} more="What calls may still cost" />
    <${Figure} name="Reserved" value=${money(data.reserved, data.currency)} more="Held for what runs" />
    <${Figure} name="Posted" value=${money(data.posted, data.currency)} more="The sum of the ledger" /></ul>`;
}

function Daily({ of: { data, problem, reload }, window }) {
  const bars = useMemo(() => data && daysOf(data.data, window), [data]);
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  const currency = data.data[0]?.currency ?? "USD";
  return html`<${Bars} title="Cost a day, last ${DAYS} days (UTC)" bars=${bars}
    format=${(value) => money(value, currency)} />`;
}

/** One bar for each day of the window, also for those without usage. */
function daysOf(rows, { from }) {
  const byDay = Map.groupBy(rows, ({ day }) => day.slice(0, 10));
  return Array.from({ length: DAYS }, (_, index) => {
    const day = new Date(Date.parse(from) + index * 86_400_000).toISOString();
    const found = byDay.get(day.slice(0, 10)) ?? [];
    const value = Math.abs(found.reduce((sum, { amount }) => sum + Number(amount), 0));
    const events = found.reduce((sum, row) => sum + row.events, 0);
    return { label: utcDay(day), value, text: found.length
      ? `${money(value, found[0].currency)}, ${count(events, "event")}` : "nothing" };
  });
}

const METERS = [
  { title: "Meter", cell: (row) => words(row.meter) },
  { title: "Provider", cell: (row) => providerName(row.provider) },
  { title: "Quantity", kind: "number", cell: (row) => number(Number(row.quantity)) },
  { title: "Events", kind: "number", cell: (row) => number(row.events) },
  { title: "Amount", kind: "number", cell: (row) => money(row.amount, row.currency) },
];

function Meters({ of: { data } }) {
  if (!data?.data.length) return null;
  return html`<h3>By meter</h3><${Table} rows=${data.data} columns=${METERS} label="Usage by meter" />`;
}

const LEDGER = [
  { title: "Entry", cell: (entry) => words(entry.description || entry.type) },
  { title: "Type", cell: (entry) => words(entry.type) },
  { title: "Amount", kind: "number", cell: (entry) => price(entry.amount, entry.currency) },
  { title: "Balance after", kind: "number", cell: (entry) => price(entry.balanceAfter, entry.currency) },
  { title: "Call", cell: (entry) => (entry.callId ? html`<a href=${place(["calls", entry.callId])}>Open</a>` : "–") },
  { title: "Time", cell: (entry) => html`<${Moment} at=${entry.createdAt} />` },
];

function TopUp({ done }) {
  const [open, setOpen] = useState(false);
  const [amount, setAmount] = useState("10.00");
  const [pending, setPending] = useState(null);
  // One key for one payment: a repeat after a lost connection pays once.
  const [key, setKey] = useState(freshKey);
  const [run, { busy, problem }] = useAct(async () => {
    const topUp = await send("POST", "/api/billing/top-ups", { amount, currency: "USD" }, { key });
    setKey(freshKey());
    if (topUp.paymentUrl) {
      setPending(topUp);
      return;
    }
    setOpen(false);
    toast(`${money(topUp.amount, topUp.currency)} were added.`);
    done();
  });
  const close = () => {
    setOpen(false);
    setPending(null);
  };
  return html`<button type="button" class="primary" onClick=${() => setOpen(true)}>Add credit</button>
    ${open && html`<${Dialog} title="Add credit" onClose=${close}>${pending
      ? html`<p>Pay at the payment provider. The credit is there once it confirms.</p><p>
        <a class="button" href=${pending.paymentUrl} rel="noreferrer">Go to the payment</a></p>`
      : html`<${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Add credit"
        extra=${html`<button type="button" onClick=${close}>Cancel</button>`}>
          <${TextField} label="Amount in US dollars" inputmode="decimal" required pattern="[0-9]+([.][0-9]+)?"
            value=${amount} onInput=${(text) => { setAmount(text); setKey(freshKey()); }} pointer="amount"
            problem=${problem} /><//>`}<//>`}`;
}
