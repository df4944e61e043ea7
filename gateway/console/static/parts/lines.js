/* Charts of figures over time as inline SVG: a line for each name, the values under the pointer or the arrow keys, and the
   last ones as text below, with a table of them for everyone. */

import { timeOfDay } from "../lib/format.js";
import { html, useState } from "../lib/ui.js";
import { stepOf, useWidth } from "./charts.js";

const HEIGHT = 150;
const LEFT = 68;
const BOTTOM = 20;
const TOP = 8;
// The shortest time that the axis shows, in milliseconds: the first points begin at its end.
const SHORTEST_MS = 300_000;
// Room for one label of the axis, in pixels.
const LABEL = 90;

/** `lines` are `{name, values}` with one value (or undefined) for each of `times`, texts of RFC 3339. `format` writes
    values. */
export function Lines({ title, times, lines, format }) {
  const [element, width] = useWidth();
  const [at, setAt] = useState(null);
  const last = times.length - 1;
  const chosen = at === null ? last : Math.min(at, last);
  const moments = times.map((time) => Date.parse(time));
  const end = moments[last];
  const start = Math.min(moments[0], end - SHORTEST_MS);
  const max = Math.max(0, ...lines.flatMap(({ values }) => values.filter((value) => value !== undefined)));
  const step = max > 0 ? stepOf(max) : 1;
  const top = Math.max(step, Math.ceil(max / step) * step);
  const x = (index) => LEFT + (width - LEFT - 4) * (moments[index] - start) / (end - start);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const moment = start + (event.clientX - box.left - LEFT) / (width - LEFT - 4) * (end - start);
    setAt(moments.reduce((best, one, index) => (Math.abs(one - moment) < Math.abs(moments[best] - moment) ? index : best), 0));
  };
  const turn = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
    if (!move) return;
    event.preventDefault();
    setAt(Math.min(last, Math.max(0, chosen + move)));
  };
  const marks = Math.max(1, Math.floor((width - LEFT) / LABEL));
  return html`<figure class="chart"><figcaption>${title}</figcaption>
    <div ref=${element}><svg viewBox="0 0 ${width} ${HEIGHT}" width=${width} height=${HEIGHT} role="slider" tabindex="0"
      aria-label="${title}: moment" aria-valuemin="0" aria-valuemax=${last} aria-valuenow=${chosen}
      aria-valuetext="${timeOfDay(times[chosen])}: ${lines.map(({ name, values }) =>
        `${name} ${format(values[chosen])}`).join(", ")}"
      onPointerMove=${point} onPointerLeave=${() => setAt(null)} onKeyDown=${turn} onBlur=${() => setAt(null)}>
      ${Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step).map((value) => html`<g key=${value}>
        <line class="grid" x1=${LEFT} x2=${width} y1=${y(value)} y2=${y(value)} />
        <text class="axis" x=${LEFT - 6} y=${y(value) + 4} text-anchor="end">${format(value)}</text></g>`)}
      ${Array.from({ length: marks }, (_, index) => start + (index + 0.5) * (end - start) / marks).map((moment) => html`
        <text key=${moment} class="axis" x=${LEFT + (width - LEFT) * (moment - start) / (end - start)} y=${HEIGHT - 5}
          text-anchor="middle">${timeOfDay(new Date(moment).toISOString(), "short")}</text>`)}
      ${lines.map(({ name, values }, index) => html`<path key=${name} class="line line-${index % 8}"
        d=${pathOf(values, x, y)} />`)}
      ${at !== null && html`<line class="moment" x1=${x(chosen)} x2=${x(chosen)} y1=${TOP} y2=${y(0)} />`}
    </svg></div>
    <table class="legend"><caption>${at === null ? "Now" : timeOfDay(times[chosen])}</caption><tbody>
      ${lines.map(({ name, values }, index) => html`<tr key=${name}><th scope="row"><i class="dot line-${index % 8}"></i>
        ${name}</th><td>${format(values[chosen])}</td></tr>`)}</tbody></table></figure>`;
}

function pathOf(values, x, y) {
  let pen = "M";
  return values.map((value, index) => {
    if (value === undefined) {
      pen = "M";
      return "";
    }
    const part = `${pen}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
    return part;
  }).join("");
}
