/* Short messages about what a person did, at the edge of the page and to readers of screens. */

import { html, useEffect, useState } from "../lib/ui.js";

// How long a message stays. A problem stays longer, because it is read twice.
const STAY_MS = 5000;
const PROBLEM_STAY_MS = 12_000;
let told = /** @type {(message: {id: number, text: string, bad?: boolean}) => void} */ (() => undefined);
let last = 0;

export function toast(text) {
  told({ id: ++last, text });
}

export function toastProblem(problem) {
  const reference = problem.requestId ? ` (request ${problem.requestId})` : "";
  told({ id: ++last, text: `${problem.title}: ${problem.detail}${reference}`, bad: true });
}

export function Toasts() {
  const [shown, setShown] = useState([]);
  useEffect(() => {
    told = (message) => {
      setShown((known) => [...known.slice(-3), message]);
      const leave = () => setShown((known) => known.filter(({ id }) => id !== message.id));
      setTimeout(leave, message.bad ? PROBLEM_STAY_MS : STAY_MS);
    };
  }, []);
  return html`<div class="toasts" role="status">${shown.map(
    ({ id, text, bad }) => html`<p key=${id} class=${bad ? "bad" : ""}>${text}</p>`)}</div>`;
}
