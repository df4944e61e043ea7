/* One call: what was said and when, the recording, what it cost, what happened to it. A call that runs grows turn by turn
   from its channel, and takes commands. */

import { duration, money, number, price, providerName, words } from "../lib/format.js";
import { REFRESH_MS, useChannels } from "../lib/live.js";
import { usePlace, useResource } from "../lib/resource.js";
import { place } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html, useEffect, useInterval, useRef, useState, useThrottled } from "../lib/ui.js";
import { Commands } from "../parts/commands.js";
import { Copyable } from "../parts/copy.js";
import { EventList, withEvent } from "../parts/events.js";
import { List } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, Stamp, State, Tags, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";

// Events of one call that are shown.
const EVENTS = 50;
// Turns shown at first, and how many each press of a button adds.
const TURNS = 100;

export function Call({ id }) {
  const may = useMay();
  const { data: call, problem, reload } = useResource(`/api/call-logs/${id}`);
  const agent = useResource(call?.agentId ? `/api/agents/${call.agentId}` : "");
  const [events, setEvents] = useState([]);
  const [told, setTold] = useState([]);
  const soon = useThrottled(reload, REFRESH_MS);
  useChannels([`call:${id}`], (event) => {
    setEvents((known) => withEvent(known, event, EVENTS));
    if (event.type === "call.turn") setTold((known) => [...known, event.data]);
    else soon();
  }, { old: EVENTS });
  if (problem && !call) return html`<${Head} title="Call" back=${[["calls"], "Calls"]} />
    <${ProblemBox} problem=${problem} again=${reload} />`;
  if (!call) return html`<${Waiting} />`;
  return html`<${Head} title=${call.title || "Call"} back=${[["calls"], "Calls"]}><${State} of=${call.status} /><//>
    ${call.summary && html`<p class="lead">${call.summary}</p>`}
    <${Facts} of=${factsOf(call, agent.data)} />
    <${Commands} call=${call} />
    <${Conversation} call=${call} turns=${withTold(call, told)} />
    ${may("billing:read") && html`<section><h2>Cost</h2><${Cost} call=${call} /></section>`}
    <section><h2>Events</h2>${events.length
      ? html`<${EventList} events=${events} />`
      : html`<${Empty} title="No event in view">Events of this call appear here as they happen.<//>`}</section>`;
}

/** The turns that were read and those that the channel has told since, in their order. A provider's report replaces the
    turns of a call that has ended. */
function withTold(call, told) {
  if (call.status !== "in_progress") return call.transcript;
  const byIndex = new Map([...told, ...call.transcript].map((turn) => [turn.index, turn]));
  return [...byIndex.values()].sort((one, other) => one.index - other.index);
}

/** How long a call runs, second by second. */
export function Elapsed({ since }) {
  const [now, setNow] = useState(Date.now);
  useInterval(() => setNow(Date.now()), 1);
  return since ? duration(Math.max(0, (now - Date.parse(since)) / 1000)) : "–";
}

function factsOf(call, agent) {
  return [
    ["Agent", call.agentId && html`<a href=${place(["agents", call.agentId])}>${agent?.name ?? call.agentId}</a>
      ${call.agentVersion ? ` version ${number(call.agentVersion)}` : ""}`],
    ["Provider", call.provider && providerName(call.provider)],
    ["Direction", call.direction && words(call.direction)],
    ["From", call.fromNumber],
    ["To", call.toNumber],
    ["Started", html`<${Stamp} at=${call.startedAt} />`],
    ["Length", call.status === "in_progress" ? html`<${Elapsed} since=${call.startedAt} />`
      : duration(call.durationSeconds)],
    ["Successful", call.successful === null ? null : call.successful ? "Yes" : "No"],
    ["Ended because", call.terminationReason],
    ["Language", call.language],
    ["Tags", call.tags.length > 0 && html`<${Tags} of=${call.tags} />`],
    ["Id", html`<${Copyable} text=${call.id} what="the id of the call" />`],
  ].map((pair) => (pair[1] === false ? null : pair));
}

function Conversation({ call, turns }) {
  const player = useRef(null);
  const playFrom = (seconds) => {
    player.current.currentTime = seconds;
    player.current.play().catch(() => undefined);
  };
  const runs = call.status === "in_progress";
  return html`<section><h2>Conversation</h2>
    ${call.recording?.url
      ? html`<audio ref=${player} controls preload="metadata"
        src=${new URL(call.recording.url).pathname + new URL(call.recording.url).search}></audio>`
      : html`<p class="small">
        ${call.recording ? `The recording is ${words(call.recording.status).toLowerCase()}.`
        : "This call has no recording."}</p>`}
    ${turns.length
      ? html`<${Turns} turns=${turns} runs=${runs} playFrom=${call.recording?.url ? playFrom : null} />`
      : html`<${Empty} title=${runs ? "Nothing was said yet" : "Nothing was said"}>
        ${runs ? "Turns appear here as they are said." : "The provider sent no transcript."}<//>`}
    <${Transcription} call=${call} /></section>`;
}

/** A part of a long conversation: the newest turns of a call that runs, the first ones of a call that has ended. */
function Turns({ turns, runs, playFrom }) {
  const [most, setMost] = useState(TURNS);
  const shown = runs ? turns.slice(-most) : turns.slice(0, most);
  const more = turns.length > shown.length && html`<p><button type="button" onClick=${() => setMost(most + TURNS)}>
    ${runs ? "Earlier turns" : "More turns"} (${number(turns.length - shown.length)})</button></p>`;
  const end = useRef(null);
  useEffect(() => {
    if (runs) end.current?.scrollIntoView({ block: "nearest" });
  }, [runs, turns.length]);
  return html`${runs && more}<ol class="turns" aria-live=${runs ? "polite" : undefined}>${shown.map((turn) =>
      html`<${Turn} key=${turn.index} turn=${turn} playFrom=${playFrom} />`)}</ol>
    <span ref=${end}></span>${!runs && more}`;
}

function Turn({ turn, playFrom }) {
  const time = duration(turn.timeSeconds);
  return html`<li class="turn ${turn.role ?? ""}">
    <span class="turn-head"><b>${words(turn.role)}</b>
      ${playFrom ? html`<button type="button" class="quiet" onClick=${() => playFrom(turn.timeSeconds)}
        aria-label="Play from ${time}">${time}</button>` : html`<span>${time}</span>`}</span>
    ${turn.text && html`<p>${turn.text}</p>`}
    ${turn.toolCalls?.length > 0
      && html`<details><summary>
      ${turn.toolCalls.length === 1 ? "A tool call" : `${number(turn.toolCalls.length)} tool calls`}</summary>
      <pre>${JSON.stringify(turn.toolCalls, null, 2)}</pre></details>`}</li>`;
}

/** The suite's own words of a recording whose provider sent none. */
function Transcription({ call }) {
  const done = call.recording?.transcriptionStatus === "done";
  const { data } = useResource(done ? `/api/call-logs/${call.id}/transcription` : "");
  if (!data?.text) return null;
  return html`<h3>Transcription of the recording</h3><ol class="turns">${data.segments.map((segment) =>
    html`<li class="turn" key=${segment.startSeconds}><span class="turn-head"><span>${duration(segment.startSeconds)}
      </span></span><p>${segment.text}</p></li>`)}</ol>`;
}

function Cost({ call }) {
  const [where, move] = usePlace({});
  const columns = [
    { title: "Entry", cell: (entry) => html`<code>${entry.id}</code>` },
    { title: "Type", cell: (entry) => words(entry.type) },
    { title: "Amount", kind: "number", cell: (entry) => price(entry.amount, entry.currency) },
    { title: "Balance after", kind: "number", cell: (entry) => price(entry.balanceAfter, entry.currency) },
    { title: "Time", cell: (entry) => html`<${Moment} at=${entry.createdAt} />` },
  ];
  return html`<p>${call.cost ? html`This call cost <b>${money(call.cost.amount, call.cost.currency)}</b>.`
    : "What the call cost is not known yet."}
      ${call.providerCostUnits !== null
        && ` The provider reports ${number(call.providerCostUnits)} units of its own.`}</p>
    <${List} path="/api/billing/ledger" filters=${{ callId: call.id }} place=${where} setPlace=${move}
      columns=${columns} label="Ledger entries of the call"
      empty=${html`<${Empty} title="No ledger entry yet">It is written once the call has ended and was rated.<//>`} />`;
}
