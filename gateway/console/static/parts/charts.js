/* Charts as inline SVG, drawn from numbers at the width that the page gives them. Each bar has its value as text for the
   pointer, and a table below the chart has them for everyone. */

import { html, useLayoutEffect, useRef, useState } from "../lib/ui.js";

const HEIGHT = 180;
const LEFT = 56;
const BOTTOM = 22;
const TOP = 8;
// Room for one label of the axis, in pixels.
const LABEL = 72;

/** A step of 1, 2 or 5 times a power of ten, so that about three lines reach `max`. */
export function stepOf(max) {
  const power = 10 ** Math.floor(Math.log10(max / 3));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= max / 3) ?? 10);
}

/** `[element, width]`: the width in pixels that the page gives an element.
    @returns {[{current: HTMLElement}, number]} */
export function useWidth() {
  const element = useRef(null);
  const [width, setWidth] = useState(640);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width) || 640));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width];
}

/** `bars` are `{label, value, text}`; `format` writes the numbers of the axis. `whole` are values without a fraction. */
export function Bars({ title, bars, format, whole = false }) {
  const [element, width] = useWidth();
  const max = Math.max(0, ...bars.map(({ value }) => value));
  const step = max > 0 ? Math.max(stepOf(max), whole ? 1 : 0) : 1;
  const top = Math.max(step, Math.ceil(max / step) * step);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const room = (width - LEFT) / Math.max(bars.length, 1);
  const every = Math.ceil(LABEL / room);
  const lines = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  return html`<figure class="chart"><figcaption>${title}</figcaption>
    <div ref=${element}><svg viewBox="0 0 ${width} ${HEIGHT}" width=${width} height=${HEIGHT} role="img"
      aria-label="${title}. The table below has the values.">
      ${lines.map((value) => html`<g key=${value}>
        <line class="grid" x1=${LEFT} x2=${width} y1=${y(value)} y2=${y(value)} />
        <text class="axis" x=${LEFT - 6} y=${y(value) + 4} text-anchor="end">${format(value)}</text></g>`)}
      ${bars.map(({ label, value, text }, index) => html`<g key=${label}>
        <rect class="bar" x=${LEFT + index * room + room * 0.15} width=${room * 0.7} y=${y(value)}
          height=${Math.max(y(0) - y(value), 0)} rx="2">
          <title>${label}: ${text}</title></rect>
        ${(bars.length - 1 - index) % every === 0
          && html`<text class="axis" x=${LEFT + (index + 1) * room} y=${HEIGHT - 6} text-anchor="end">${label}
          </text>`}</g>`)}
    </svg></div>
    <details><summary>Values</summary><table><tbody>${bars.map(({ label, text }) =>
      html`<tr key=${label}><th scope="row">${label}</th><td>${text}</td></tr>`)}</tbody></table></details></figure>`;
}
