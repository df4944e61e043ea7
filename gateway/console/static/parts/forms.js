/* Fields with labels, hints and the API's own words about what is wrong with them. */

import { html, useEffect, useId, useRef, useSettled, useState } from "../lib/ui.js";
import { ProblemBox } from "./notices.js";

/** A label with its control. `errors` are a problem's violations; those of `pointer` are shown here. */
export function Field({ label, hint, pointer, problem, children, wide = false }) {
  const id = useId();
  const wrong = (problem?.errors ?? []).filter((error) => pointer && matches(error.pointer, pointer));
  const described = [hint && `${id}-hint`, wrong.length && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const given = { id, "aria-describedby": described, "aria-invalid": wrong.length ? "true" : undefined };
  return html`<div class="field ${wide ? "wide" : ""}"><label for=${id}>${label}</label>${children(given)}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${wrong.length > 0 && html`<p class="wrong" id="${id}-error">${wrong.map((error) => error.detail).join(" ")}</p>`}
      </div>`;
}

const matches = (found, pointer) => found === `#/${pointer}` || found.startsWith(`#/${pointer}/`);

export function TextField({ label, hint, pointer, problem, value, onInput, wide, ...more }) {
  return html`<${Field} label=${label} hint=${hint} pointer=${pointer} problem=${problem} wide=${wide}>${(given) =>
    html`<input ...${given} ...${more} value=${value} onInput=${(event) => onInput(event.target.value)} />`}<//>`;
}

export function AreaField({ label, hint, pointer, problem, value, onInput, wide = true, ...more }) {
  return html`<${Field} label=${label} hint=${hint} pointer=${pointer} problem=${problem} wide=${wide}>${(given) =>
    html`<textarea ...${given} ...${more} value=${value} onInput=${(event) => onInput(event.target.value)}>
      </textarea>`}<//>`;
}

/** `options` are `[value, title]`. */
export function SelectField({ label, hint, pointer, problem, value, options, onInput, wide }) {
  return html`<${Field} label=${label} hint=${hint} pointer=${pointer} problem=${problem} wide=${wide}>${(given) =>
    html`<select ...${given} value=${value} onChange=${(event) => onInput(event.target.value)}>
      ${options.map(([name, title]) => html`<option key=${name} value=${name} selected=${name === value}>${title}
        </option>`)}</select>`}<//>`;
}

/** An IANA time zone, with those that the browser knows to choose from. */
export function ZoneField({ value, onInput, problem }) {
  const id = useId();
  return html`<${TextField} label="Time zone" required maxlength="64" list=${id}
      hint="As the IANA database names it, such as Europe/Berlin." value=${value} onInput=${onInput} pointer="timeZone"
      problem=${problem} />
    <datalist id=${id}>${Intl.supportedValuesOf("timeZone").map((zone) => html`<option key=${zone} value=${zone}>
      </option>`)}</datalist>`;
}

/** A search whose words take effect once typing pauses. */
export function SearchField({ label, value, onSearch, ...more }) {
  const [text, setText] = useState(value);
  const settled = useSettled(text);
  // The value that was asked for last. Its return changes nothing: the person may have typed on meanwhile.
  const asked = useRef(value);
  useEffect(() => {
    if (settled === value) return;
    asked.current = settled;
    onSearch(settled);
  }, [settled]);
  useEffect(() => {
    if (value === asked.current) return;
    asked.current = value;
    setText(value);
  }, [value]);
  return html`<${TextField} label=${label} type="search" maxlength="200" value=${text} onInput=${setText}
    ...${more} />`;
}

/** A form that sends once at a time. The problem is shown above its buttons. `locked` shows the values alone, to a person
    who may not change them. */
export function Form({ onSubmit, busy, problem, submit, children, extra, ready = true, locked = false }) {
  const send = (event) => {
    event.preventDefault();
    onSubmit();
  };
  return html`<form onSubmit=${send} novalidate=${false}>
    ${locked ? html`<fieldset class="locked" disabled><div class="fields">${children}</div></fieldset>`
      : html`<div class="fields">${children}</div>`}
    <${ProblemBox} problem=${problem} />
    ${!locked && html`<div class="actions"><button class="primary" disabled=${busy || !ready}>
      ${busy ? "Sending…" : submit}</button>${extra}</div>`}
  </form>`;
}

/** "a, b" <-> ["a", "b"]. */
export const fromCommas = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
export const toCommas = (list) => (list ?? []).join(", ");
