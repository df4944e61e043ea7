/* Parts of a page as links, each with an address of its own; and a page's head. */

import { place } from "../lib/router.js";
import { html, useLayoutEffect, useRef, useTitle } from "../lib/ui.js";

/** `tabs` are `[name, title]`; the first one is the page without a further part. */
export function Tabs({ base, tabs, current, label }) {
  const bar = useRef(null);
  // On a narrow screen the tabs are one line that scrolls; the present one is in sight.
  useLayoutEffect(() => bar.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }),
    [current]);
  return html`<nav class="tabs" ref=${bar} aria-label=${label}><ul>${tabs.map(([name, title], index) => html`<li key=${name}>
    <a href=${place(index ? [...base, name] : base)}
      aria-current=${name === (current ?? tabs[0][0]) ? "page" : undefined}>${title}</a></li>`)}</ul></nav>`;
}

export function Head({ title, back, children }) {
  useTitle(title);
  return html`<div class="head">${back && html`<a class="back" href=${place(back[0])}>← ${back[1]}</a>`}
    <h1 tabindex="-1">${title}</h1><div class="head-actions">${children}</div></div>`;
}
