/* Where the console is, as the fragment of the address: #/calls/call_1?status=failed. The fragment never reaches a
   server, so one page answers every address and a CDN needs no rule. */

import { useEffect, useState } from "./ui.js";

/** `{path, parts, acting, query}` of a fragment. `acting` is the customer of an agency whose data are shown:
    #/in/org_1/calls. */
export function parse(fragment) {
  const [path, search = ""] = fragment.replace(/^#/, "").split("?");
  const named = path.split("/").filter(Boolean).map(decoded);
  const acting = named[0] === "in" ? named[1] ?? "" : "";
  return {
    path: path || "/",
    parts: acting ? named.slice(2) : named,
    acting,
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A % that encodes nothing.
  }
}

/** The customer that this load of the page acts in; empty for the own organization. Another one is another load, so that
    nothing of two organizations meets on a page. */
export const ACTING = parse(location.hash).acting;

/** Goes to the overview of a customer, or of the own organization. */
export function enter(organizationId) {
  history.pushState(null, "", place([], {}, organizationId));
  location.reload();
}

/** The address of a place in the console, for a link. Parts are encoded. */
export function place(parts, query = {}, acting = ACTING) {
  const within = acting ? ["in", acting, ...parts] : parts;
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#/${within.map(encodeURIComponent).join("/")}${search}`;
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
    const read = () => {
      const next = parse(location.hash);
      if (next.acting === ACTING) setRoute(next);
      else location.reload();
    };
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
