/* Events as sentences with links to what they are about. */

import { count, duration, money, number, timeOfDay, fullMoment, providerName, words } from "../lib/format.js";
import { place } from "../lib/router.js";
import { html } from "../lib/ui.js";

const AMOUNT = (data) => money(Number(data.amountMicros ?? data.availableMicros ?? 0) / 1e6, data.currency || "USD");
// What an event's data say, by its type or by the entity of its type.
const SAYS = {
  "console.gap": () => "Events before this are missing: the connection was away for longer than they are kept.",
  "call.ended": (data) => `${words(data.status)} after ${duration(data.durationSeconds)}${data.summary
    ? `: ${data.summary}` : ""}`,
  "call.command_requested": (data) => [words(data.type), data.to || data.context].filter(Boolean).join(": "),
  "call.command_settled": (data) => [`${words(data.type)}: ${words(data.status).toLowerCase()}`,
    data.detail].filter(Boolean).join(", "),
  "call.turn": (data) => `${words(data.role)}: ${data.text}`,
  call: (data) => [data.provider && providerName(data.provider), data.status
    && words(data.status)].filter(Boolean).join(", "),
  "agent.published": (data) => `${data.name}, version ${number(data.publishedVersion)}`,
  agent: (data) => data.name,
  document: (data) => [data.title, data.chunks
    && count(data.chunks, "passage"), data.errorCode].filter(Boolean).join(", "),
  entry: (data) => data.title,
  "usage.recorded": (data) => `${number(Number(data.quantity))} ${words(data.meter).toLowerCase()}, ${AMOUNT(data)}`,
  credit: (data) => `${AMOUNT(data)} available`,
  integration: (data) => `${providerName(data.provider)}, ${words(data.status).toLowerCase()}`,
  job: (data) => `${data.kind} ${words(data.state).toLowerCase()}, ${number(data.progress ?? 0)} %`,
};

/** Where to look at what the event is about; null where the console has no page of it.
    @param {{data?: Record<string, any>}} event */
function aboutOf({ data = {} }) {
  if (data.callId) return place(["calls", data.callId]);
  if (data.agentId) return place(["agents", data.agentId]);
  if (data.entryId) return place(["knowledge", data.entryId]);
  return null;
}

/** The newest `most` events with this one, each once, newest first. Those of one transaction have one time, and ids in
    their order. */
export function withEvent(known, event, most) {
  if (known.some(({ id }) => id === event.id)) return known;
  const isNewer = (one, other) => (one.time === other.time ? one.id > other.id : one.time > other.time);
  return [event, ...known].sort((one, other) => (isNewer(one, other) ? -1 : 1)).slice(0, most);
}

export function EventList({ events }) {
  return html`<ol class="events">${events.map((event) => {
    const says = SAYS[event.type] ?? SAYS[event.type.split(".")[0]];
    const about = aboutOf(event);
    return html`<li key=${event.id}><time datetime=${event.time} title=${fullMoment(event.time)}>
      ${timeOfDay(event.time)}</time>
      <span class="event-type">${about ? html`<a href=${about}>${event.type}</a>` : event.type}</span>
      <span class="event-text">${says?.(event.data ?? {}) ?? ""}</span></li>`;
  })}</ol>`;
}
