/* One call: what was said and when, the recording, what it cost, what happened to it. A call in progress grows as its
   turns arrive. */

import { duration, moment, money, number, providerName, words } from "../lib/format.js";
import { REFRESH_MS, useChannels } from "../lib/live.js";
import { usePlace, useResource } from "../lib/resource.js";
import { place } from "../lib/router.js";
import { html, useRef, useState, useThrottled } from "../lib/ui.js";
import { EventList } from "../parts/events.js";
import { List } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, State, Tags, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";

// Events of one call that are shown.
const EVENTS = 50;

export function Call({ id }) {
  const { data: call, problem, reload } = useResource(`/api/call-logs/${id}`);
  const agent = useResource(call?.agentId ? `/api/agents/${call.agentId}` : "");
  const [events, setEvents] = useState([]);
  const soon = useThrottled(reload, REFRESH_MS);
  useChannels([`call:${id}`], (event) => {
    setEvents((known) => [event, ...known.filter((one) => one.id !== event.id)].slice(0, EVENTS));
    soon();
  }, { old: EVENTS });
  if (problem && !call) return html`<${Head} title="Call" back=${[["calls"], "Calls"]} />
    <${ProblemBox} problem=${problem} again=${reload} />`;
  if (!call) return html`<${Waiting} />`;
  return html`<${Head} title=${call.title || "Call"} back=${[["calls"], "Calls"]}><${State} of=${call.status} /><//>
    ${call.summary && html`<p class="lead">${call.summary}</p>`}
    <${Facts} of=${factsOf(call, agent.data)} />
    <${Conversation} call=${call} />
    <section><h2>Cost</h2><${Cost} call=${call} /></section>
    <section><h2>Events</h2>${events.length
      ? html`<${EventList} events=${events} />`
      : html`<${Empty} title="No event in view">Events of this call appear here as they happen.<//>`}</section>`;
}

function factsOf(call, agent) {
  return [
    ["Agent", call.agentId && html`<a href=${place(["agents", call.agentId])}>${agent?.name ?? call.agentId}</a>
      ${call.agentVersion ? ` version ${number(call.agentVersion)}` : ""}`],
    ["Provider", call.provider && providerName(call.provider)],
    ["Direction", call.direction && words(call.direction)],
    ["From", call.fromNumber],
    ["To", call.toNumber],
    ["Started", moment(call.startedAt)],
    ["Length", duration(call.durationSeconds)],
    ["Successful", call.successful === null ? null : call.successful ? "Yes" : "No"],
    ["Ended because", call.terminationReason],
    ["Language", call.language],
    ["Tags", call.tags.length > 0 && html`<${Tags} of=${call.tags} />`],
    ["Id", html`<code>${call.id}</code>`],
  ].map((pair) => (pair[1] === false ? null : pair));
}

function Conversation({ call }) {
  const player = useRef(null);
  const playFrom = (seconds) => {
    player.current.currentTime = seconds;
    player.current.play().catch(() => undefined);
  };
  return html`<section><h2>Conversation</h2>
    ${call.recording?.url
      ? html`<audio ref=${player} controls preload="metadata"
        src=${new URL(call.recording.url).pathname + new URL(call.recording.url).search}></audio>`
      : html`<p class="small">
        ${call.recording ? `The recording is ${words(call.recording.status).toLowerCase()}.`
        : "This call has no recording."}</p>`}
    ${call.transcript.length
      ? html`<ol class="turns" aria-live=${call.status === "in_progress" ? "polite" : undefined}>
        ${call.transcript.map((turn) =>
          html`<${Turn} key=${turn.index} turn=${turn} playFrom=${call.recording?.url ? playFrom : null} />`)}</ol>`
      : html`<${Empty} title="Nothing was said">The provider sent no transcript.<//>`}
    <${Transcription} call=${call} /></section>`;
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
    { title: "Amount", kind: "number", cell: (entry) => money(entry.amount, entry.currency) },
    { title: "Balance after", kind: "number", cell: (entry) => money(entry.balanceAfter, entry.currency) },
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
