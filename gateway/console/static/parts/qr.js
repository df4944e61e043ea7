/* A text as a QR code, drawn here: the secret of a second factor goes to no one who draws it for us. The library is loaded
   by the first code. */

import { html, useEffect, useState } from "../lib/ui.js";

// Modules of white around a code, as readers need them (ISO/IEC 18004).
const QUIET = 4;

export function QrCode({ text, label }) {
  const [code, setCode] = useState(null);
  useEffect(() => {
    let wanted = true;
    import("lean-qr").then(({ generate }) => wanted && setCode(generate(text)), () => undefined);
    return () => { wanted = false; };
  }, [text]);
  if (!code) return html`<div class="qr"></div>`;
  const size = code.size + 2 * QUIET;
  return html`<svg class="qr" viewBox="0 0 ${size} ${size}" role="img" aria-label=${label} shape-rendering="crispEdges">
    <rect class="qr-light" width=${size} height=${size} /><path class="qr-dark" d=${darkOf(code)} /></svg>`;
}

/** The dark modules as one path of unit squares. */
function darkOf(code) {
  const rows = Array.from({ length: code.size }, (_, index) => index);
  return rows.flatMap((row) => rows.filter((column) => code.get(column, row))
    .map((column) => `M${column + QUIET} ${row + QUIET}h1v1h-1z`)).join("");
}
