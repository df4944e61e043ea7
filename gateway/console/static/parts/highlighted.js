/* A text with its highlights. The API counts in Unicode code points, JavaScript in UTF-16 units. */

import { html } from "../lib/ui.js";

/** The text in pieces `{text, marked}`. `marks` are half-open ranges of code points, in order or not. Pure. */
export function pieces(text, marks) {
  const points = Array.from(text);
  const found = [];
  let at = 0;
  for (const { start, end } of [...marks].sort((one, other) => one.start - other.start)) {
    if (start > at) found.push({ text: points.slice(at, start).join(""), marked: false });
    if (end > Math.max(start, at)) found.push({ text: points.slice(Math.max(start, at), end).join(""), marked: true });
    at = Math.max(at, end);
  }
  if (at < points.length) found.push({ text: points.slice(at).join(""), marked: false });
  return found;
}

export function Highlighted({ text, marks }) {
  return html`<p class="hit-text">
    ${pieces(text, marks).map(({ text: piece, marked }) => (marked ? html`<mark>${piece}</mark>` : piece))}</p>`;
}
