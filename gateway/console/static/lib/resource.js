/* Reading the API from components: one resource, or one page of a list. Owns loading, refusal, reload and paging. */

import { get, onSessionResume } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./ui.js";

// Rows that page numbers reach. Behind them the API continues by cursor.
const PAGED_ROWS = 10_000;

/** `{data, problem, loading, reload}` of GET `path`; nothing is asked while `path` is empty. While it loads again the
    last data of the same path stay. A reload while an answer is awaited follows that answer: reloads that come faster
    than answers would else end each of them, and the page would stay empty. `organization` is a customer of the agency
    whose resource it is. */
export function useResource(path, query = {}, organization = undefined) {
  const [state, setState] = useState({ path: "", data: null, problem: null, loading: true });
  const [round, setRound] = useState(0);
  const awaited = useRef({ answer: false, again: false });
  const asked = JSON.stringify(query);
  const reload = useCallback(() => {
    if (awaited.current.answer) awaited.current.again = true;
    else setRound((number) => number + 1);
  }, []);
  useEffect(() => {
    if (!path) return undefined;
    const controller = new AbortController();
    const answered = (change) => {
      if (controller.signal.aborted) return;
      const { again } = awaited.current;
      awaited.current = { answer: false, again: false };
      setState(change);
      if (again) reload();
    };
    awaited.current = { answer: true, again: false };
    setState((last) => ({ ...last, loading: true,
      ...(last.path === path ? {} : { path, data: null, problem: null }) }));
    get(path, query, controller.signal, organization).then(
      (data) => answered({ path, data, problem: null, loading: false }),
      (problem) => answered((last) => ({ ...last, problem, loading: false })),
    );
    return () => {
      controller.abort();
      awaited.current = { answer: false, again: false };
    };
  }, [path, asked, round, organization]);
  useEffect(() => onSessionResume(reload), []);
  const replace = useCallback((data) => setState((last) => ({ ...last, data, problem: null })), []);
  return { ...state, reload, replace };
}

/** One page of a list. `place` is `{page}` or `{cursor}`; `next` and `previous` are the places beside it, or null. */
export function useList(path, filters, place, limit) {
  const where = place.cursor ? { cursor: place.cursor } : { page: place.page || 1 };
  const read = useResource(path, { ...filters, limit, ...where });
  const answer = read.data;
  return { ...read, rows: answer?.data ?? [], ...beside(answer) };
}

function beside(answer) {
  if (!answer) return { next: null, previous: null };
  const { page, limit, hasMore, nextCursor } = answer;
  const previous = page > 1 ? { page: page - 1 } : null;
  if (!hasMore) return { next: null, previous };
  if (page && (page + 1) * limit <= PAGED_ROWS) return { next: { page: page + 1 }, previous };
  return { next: nextCursor ? { cursor: nextCursor } : null, previous };
}

/** A place in a list that lives as long as the component and begins anew when the filters change. */
export function usePlace(filters = {}) {
  const asked = JSON.stringify(filters);
  const [kept, setKept] = useState({ asked, place: {} });
  const setPlace = (place) => setKept({ asked, place });
  return [kept.asked === asked ? kept.place : {}, setPlace];
}

/** `[run, {busy, problem}]`: an act that a person started. It runs once at a time and keeps its refusal.
    @param {(...given: any[]) => any} act
    @returns {[(...given: any[]) => Promise<any>, {busy: boolean, problem: any, clear: () => void}]} */
export function useAct(act) {
  const [state, setState] = useState({ busy: false, problem: null });
  const running = useRef(false);
  const run = async (...given) => {
    if (running.current) return undefined;
    running.current = true;
    setState({ busy: true, problem: null });
    try {
      const result = await act(...given);
      setState({ busy: false, problem: null });
      return result;
    } catch (problem) {
      setState({ busy: false, problem });
      return undefined;
    } finally {
      running.current = false;
    }
  };
  return [run, { ...state, clear: () => setState({ busy: false, problem: null }) }];
}
