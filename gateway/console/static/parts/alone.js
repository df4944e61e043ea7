/* The frame of a page without navigation: sign-in, and what mailed links open. */

import { html, useTitle } from "../lib/ui.js";
import { Brand } from "./frame.js";

export function Alone({ title, children }) {
  useTitle(title);
  return html`<main class="alone"><${Brand} /><h1 tabindex="-1">${title}</h1>
    ${children}</main>`;
}
