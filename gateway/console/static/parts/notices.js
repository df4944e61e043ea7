/* What stands in the place of content: a problem, waiting, nothing. And small marks of state. */

import { ago, fullMoment, moment, words } from "../lib/format.js";
import { html } from "../lib/ui.js";

/** The API's own words, the request id to report, and a way to try again where there is one. */
export function ProblemBox({ problem, again }) {
  if (!problem) return null;
  return html`<div class="problem" role="alert">
    <strong>${problem.title || "Something failed"}</strong>
    ${problem.detail && html`<p>${problem.detail}</p>`}
    ${problem.code === "origin_refused"
      && html`<p>Open the console at the address that the installation is configured with (PUBLIC_URL), such as 127.0.0.1 instead of localhost.</p>`}
    ${problem.errors?.length > 0 && html`<ul>${problem.errors.map(
      (error) => html`<li>${error.pointer && html`<code>${error.pointer.replace(/^#\//, "")}</code>`} ${error.detail}
        </li>`)}</ul>`}
    ${problem.requestId && html`<p class="small">Request <code>${problem.requestId}</code></p>`}
    ${again && html`<button type="button" onClick=${again}>Try again</button>`}
  </div>`;
}

export function Waiting({ what = "Loading…" }) {
  return html`<p class="waiting" role="status">${what}</p>`;
}

/** Nothing is here, and what to do about it. */
export function Empty({ title, children }) {
  return html`<div class="empty"><strong>${title}</strong>${children && html`<p>${children}</p>`}</div>`;
}

const GOOD = new Set(["active", "completed", "delivered", "enabled", "settled", "live", "current", "accepted", "acknowledged", "healthy", "connected"]);
const BAD = new Set(["failed", "disabled", "revoked", "no_answer", "busy", "timed_out", "expired", "unhealthy", "unreachable", "suspended"]);
const MOVING = new Set(["in_progress", "processing", "running", "queued", "scheduled", "pending"]);

/** A state as a word with a color; the word alone says it. */
export function State({ of, label }) {
  const kind = GOOD.has(of) ? "good" : BAD.has(of) ? "bad" : MOVING.has(of) ? "moving" : "";
  return html`<span class="state ${kind}">${label ?? words(of)}</span>`;
}

/** A day and time, with zone and seconds on hover. */
export function Stamp({ at }) {
  return at ? html`<time datetime=${at} title=${fullMoment(at)}>${moment(at)}</time>` : html`<span class="dash">–</span>`;
}

/** "3 hours ago", with the whole time on hover. */
export function Moment({ at }) {
  return at ? html`<time datetime=${at} title=${fullMoment(at)}>${ago(at)}</time>` : html`<span class="dash">–</span>`;
}

export function Tags({ of }) {
  return of?.length ? html`<span class="tags">${of.map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`)}
    </span>` : null;
}

/** Pairs of a name and a value: columns where there is room for them, else one pair a line. */
export function Facts({ of }) {
  const known = of.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "");
  return html`<div class="facts"><dl>
    ${known.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></div>`;
}
