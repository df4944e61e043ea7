/* Dialogs on the <dialog> element: the browser keeps the focus inside, closes on Escape and returns the focus. */

import { useAct } from "../lib/resource.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { CopyButton } from "./copy.js";
import { ProblemBox } from "./notices.js";

/** A dialog that is open while it is rendered. The focus begins at its first field, where it has one. */
export function Dialog({ title, onClose, children }) {
  const element = useRef(null);
  const isGone = useRef(false);
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    dialog.querySelector("form :is(input, select, textarea):enabled")?.focus();
    return () => {
      isGone.current = true; // The event of this close comes later, and no person closed anything.
      dialog.close();
    };
  }, []);
  return html`<dialog ref=${element} aria-label=${title} onClose=${() => isGone.current || onClose()}>
    <div class="dialog-head"><h2>${title}</h2>
      <button type="button" class="quiet" onClick=${onClose} aria-label="Close">✕</button></div>
    ${children}</dialog>`;
}

/** A button that asks before it acts. `insist(problem)` is asked about a refusal: `{question, verb, act}` where the person
    may act in spite of it, which is asked next; null where not.
    @param {{label: any, title: string, question: any, act: () => any, done?: () => void, kind?: string, verb?: any,
      insist?: (problem: any) => {question: any, verb: string, act: () => any} | null}} given */
export function Confirm({ label, title, question, act, done, kind = "quiet", verb = label, insist = () => null }) {
  const first = { question, verb, act };
  const [open, setOpen] = useState(false);
  const [second, setSecond] = useState(null);
  const asked = second ?? first;
  const [run, { busy, problem, clear }] = useAct(async () => {
    try {
      await asked.act();
    } catch (refusal) {
      const next = second ? null : insist(refusal);
      if (!next) throw refusal;
      setSecond(next);
      return;
    }
    setOpen(false);
    done?.();
  });
  const close = () => {
    setOpen(false);
    setSecond(null);
    clear();
  };
  return html`<button type="button" class=${kind} onClick=${() => setOpen(true)}>${label}</button>
    ${open && html`<${Dialog} title=${title} onClose=${close}>
      <p role=${second ? "alert" : undefined}>${asked.question}</p><${ProblemBox} problem=${problem} />
      <div class="actions"><button type="button" class="danger" disabled=${busy} onClick=${run}>${asked.verb}</button>
        <button type="button" onClick=${close}>Cancel</button></div><//>`}`;
}

/** A secret that is shown once, with a way to copy it. */
export function Secret({ title, secret, onClose, children }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${children}</p><p><code class="secret">${secret}</code></p>
    <div class="actions"><${CopyButton} text=${secret} kind="primary" />
      <button type="button" onClick=${onClose}>I have stored it</button></div><//>`;
}
