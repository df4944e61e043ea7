/* A text that is copied more often than it is read: an id, an address, a record. */

import { html, useEffect, useState } from "../lib/ui.js";

// How long a button says that it has copied.
const SAID_MS = 2000;

/** Browsers let pages write the clipboard on https and on this machine; elsewhere the button is not there. */
export function CopyButton({ text, label = "Copy", kind = "" }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  if (!navigator.clipboard) return null;
  const copy = () => navigator.clipboard.writeText(text).then(() => setCopied(true), () => undefined);
  return html`<button type="button" class=${kind} onClick=${copy}><span role="status">${copied ? "Copied" : label}</span>
    </button>`;
}

/** A short text with its button. `what` names it to readers of screens. */
export function Copyable({ text, what }) {
  return html`<span class="copyable"><code>${text}</code>${navigator.clipboard && html`<${CopyButton} text=${text}
    label=${html`Copy<span class="unseen"> ${what}</span>`} kind="quiet" />`}</span>`;
}
