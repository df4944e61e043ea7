/* The frame of a page without navigation: sign-in, and what mailed links open. */

import { place } from "../lib/router.js";
import { html, useTitle } from "../lib/ui.js";
import { Brand } from "./frame.js";

export function Alone({ title, children }) {
  useTitle(title);
  return html`<main class="alone"><${Brand} href=${place([], {}, "")} /><h1 tabindex="-1">${title}</h1>
    ${children}</main>`;
}
