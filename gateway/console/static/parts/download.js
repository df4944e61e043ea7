/* Files that a page makes or reads, handed to the person. */

import { getBlob } from "../lib/api.js";
import { useAct } from "../lib/resource.js";
import { html } from "../lib/ui.js";
import { ProblemBox } from "./notices.js";

export function saveBlob(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has taken the address once the click has returned.
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Reads a file of the API, in the organization that the page acts in; a link could not say which. */
export function Download({ path, name, label }) {
  const [run, { busy, problem }] = useAct(async () => saveBlob(await getBlob(path), name));
  return html`<button type="button" disabled=${busy} onClick=${run}>${busy ? "Loading…" : label}</button>
    <${ProblemBox} problem=${problem} />`;
}
