/* The one door to the vendored library (Preact, its hooks, and htm for templates). Text becomes text nodes; no module of
   the console makes HTML of a string, and the page's policy (trusted types) refuses it. */

import htm from "htm";
import { createContext, h } from "preact";
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";

export { createContext, render } from "preact";
export { useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

/** A tagged template of elements: html`<p class=${name}>${text}</p>`. */
export const html = htm.bind(h);

/** The value of the last render but this one; for comparing. */
export function useLatest(value) {
  const kept = useRef(value);
  kept.current = value;
  return kept;
}

/** Calls `act` every `seconds` while the page is visible and `active` holds, and not before its last promise is
    settled. */
export function useInterval(act, seconds, active = true) {
  const latest = useLatest(act);
  const running = useRef(false);
  useEffect(() => {
    if (!active) return undefined;
    const turn = async () => {
      if (document.hidden || running.current) return;
      running.current = true;
      try {
        await latest.current();
      } finally {
        running.current = false;
      }
    };
    const timer = setInterval(turn, seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds, active]);
}

/** A function that calls `act` once in `milliseconds` at most, after the first of the calls that it answers. */
export function useThrottled(act, milliseconds) {
  const latest = useLatest(act);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ||= setTimeout(() => {
      timer.current = 0;
      latest.current();
    }, milliseconds);
  }, [milliseconds]);
}

/** The value, once it has not changed for `milliseconds`. */
export function useSettled(value, milliseconds = 300) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}

/** The page's title, for tabs and history. */
export function useTitle(title) {
  const product = useContext(LookContext)?.productName ?? SUITE_NAME;
  useEffect(() => {
    document.title = `${title} · ${product}`;
  }, [title, product]);
}

/** What the page calls the product where no organization has a name of its own. */
export const SUITE_NAME = "EchoSenseiX";
/** How the host of the page looks: the answer of /api/whitelabel/public, or null. */
export const LookContext = createContext(null);
