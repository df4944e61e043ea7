/* A fault in one page leaves the frame and the other pages usable. */

import { html, useErrorBoundary } from "../lib/ui.js";
import { ProblemBox } from "./notices.js";

export function Guard({ children }) {
  const [fault, again] = useErrorBoundary((error) => console.error(error));
  if (!fault) return children;
  const problem = { title: "This page has failed", detail: "The fault is in the console. Nothing was changed by it." };
  return html`<h1 tabindex="-1">Sorry</h1><${ProblemBox} problem=${problem} again=${again} />`;
}
