/* A page of a list: a table on wide screens, cards on narrow ones, with loading, refusal, emptiness and paging. */

import { number } from "../lib/format.js";
import { useList } from "../lib/resource.js";
import { html } from "../lib/ui.js";
import { Empty, ProblemBox, Waiting } from "./notices.js";

const LIMIT = 25;

/** `columns` are `{title, cell(row), kind?}`; the first one names the row. `empty` is shown for no rows.
    `place` and `setPlace` say which page; `read` is a list that the caller reads itself. */
export function List({ path, filters = {}, place, setPlace, columns, empty, label, limit = LIMIT, read }) {
  const own = useList(read ? "" : path, filters, place, limit);
  const list = read ?? own;
  if (list.problem) return html`<${ProblemBox} problem=${list.problem} again=${list.reload} />`;
  if (!list.data) return html`<${Waiting} />`;
  if (list.rows.length === 0) return (place.page ?? 1) > 1 || place.cursor
    ? html`<${PastTheEnd} setPlace=${setPlace} />` : empty;
  return html`<${Table} rows=${list.rows} columns=${columns} label=${label} busy=${list.loading} />
    <${Pager} list=${list} place=${place} setPlace=${setPlace} />`;
}

/** Roles are written out: as cards on narrow screens the elements are blocks, which lose theirs. */
export function Table({ rows, columns, label, busy = false }) {
  return html`<div class="table" aria-busy=${String(busy)}><table role="table" aria-label=${label}>
    <thead role="rowgroup"><tr role="row">
      ${columns.map(({ title, kind }) => html`<th scope="col" role="columnheader" key=${title} class=${kind}>${title}
      </th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.map((row,
      index) => html`<tr role="row" key=${row.id ?? index}>${columns.map(({ title, cell, kind }, column) =>
      column === 0
        ? html`<th scope="row" role="rowheader" key=${title} class=${kind}>${cell(row)}</th>`
        : html`<${Cell} key=${title} title=${title} kind=${kind} content=${cell(row)} />`)}</tr>`)}</tbody>
  </table></div>`;
}

/** A card of a narrow screen leaves out what is a dash. */
function Cell({ title, kind = "", content }) {
  return html`<td role="cell" class="${kind} ${content === "–" ? "nothing" : ""}" data-title=${title}>${content}</td>`;
}

/** Buttons to the pages beside this one of `list` (useList). */
export function Pager({ list, place, setPlace }) {
  const { data, next, previous } = list;
  const back = place.cursor ? () => history.back() : previous && (() => setPlace(previous));
  if (!next && !back && data.total === data.data.length) return null;
  const position = data.page ? `Page ${number(data.page)}${data.totalPages ? ` of ${number(data.totalPages)}` : ""}`
    : "Further rows";
  const total = data.total === null ? "" : ` · ${data.totalIsEstimate ? "about " : ""}${number(data.total)} in all`;
  return html`<nav class="pager" aria-label="Pages">
    <button type="button" disabled=${!back} onClick=${back || undefined}>Previous</button>
    <span>${position}${total}</span>
    <button type="button" disabled=${!next} onClick=${() => setPlace(next)}>Next</button>
  </nav>`;
}

function PastTheEnd({ setPlace }) {
  return html`<${Empty} title="This page is empty">The list became shorter.<//>
    <button type="button" onClick=${() => setPlace({ page: 1 })}>First page</button>`;
}
