/* Where the console is, as the fragment of the address: #/calls/call_1?status=failed. The fragment never reaches a
   server, so one page answers every address and a CDN needs no rule. */

import { useEffect, useState } from "./ui.js";

/** `{path, parts, query}` of a fragment. */
export function parse(fragment) {
  const [path, search = ""] = fragment.replace(/^#/, "").split("?");
  return {
    path: path || "/",
    parts: path.split("/").filter(Boolean).map(decodeURIComponent),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

/** The address of a place in the console, for a link. Parts are encoded. */
export function place(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#/${parts.map(encodeURIComponent).join("/")}${search}`;
}

export function go(parts, query) {
  location.hash = place(parts, query);
}

/** Changes parameters of the present place without a new entry in the history. A change of a filter begins at page 1. */
export function setQuery(change, { keepPlace = false } = {}) {
  const { parts, query } = parse(location.hash);
  const start = keepPlace ? {} : { page: undefined, cursor: undefined };
  history.replaceState(null, "", place(parts, { ...query, ...start, ...change }));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const read = () => setRoute(parse(location.hash));
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return route;
}

/** The place in a list that the address names: `[place, setPlace]`. Turning a page is an entry in the history. */
export function urlPlace(route) {
  const { page, cursor, ...filters } = route.query;
  const where = cursor ? { cursor } : { page: Number(page) || 1 };
  const move = (next) => go(route.parts, { ...filters, ...(next.page === 1 ? {} : next) });
  return [where, move];
}
