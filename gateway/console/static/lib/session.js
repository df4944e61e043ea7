/* Who is signed in. The session is an HttpOnly cookie: scripts never see the token, and nothing is kept in storage. */

import { get, onSessionEnd, send, tellSessionResumed } from "./api.js";
import { disconnect, onRightsChange, reconnect, suspend } from "./live.js";
import { createContext, useContext, useEffect, useLatest, useState } from "./ui.js";

export const SessionContext = createContext(null);
export const useSession = () => useContext(SessionContext);

// Areas that a person who is limited to some agents reaches; the API closes all others to it.
const LIMITED_AREAS = ["agents", "calls", "realtime"];

/** Whether the person reaches some agents alone, and nothing else of the organization. */
export const useLimited = () => Boolean(useSession().user.agentGrants);

/** A function that says whether the person has a scope; with an agent's id, whether for that agent and its calls. It
    decides what is shown; the API decides what is done. A limited person makes no agent. */
export function useMay() {
  const { scopes, agentGrants } = useSession().user;
  return (scope, agentId = "") => {
    if (!scopes.includes("*") && !scopes.includes(scope)) return false;
    if (!agentGrants) return true;
    const [area, verb] = scope.split(":");
    if (verb === "read") return LIMITED_AREAS.includes(area);
    return agentGrants.some((grant) => grant.agentId === agentId && grant.access === "write");
  };
}

const STRANGER = { user: null, asking: false, problem: null, ended: false };

/** `{user, asking, problem, ended, ask, signIn, signInWithCode, signOut, leave}`. `user` is null without a session.
    `ended`: the session of the user who is shown is over, and what is on the page waits for a new sign-in.
    `signIn` resolves to the challenge of a second factor, or null. */
export function useSessionState() {
  const [state, setState] = useState({ ...STRANGER, asking: true });
  const latest = useLatest(state);
  const ask = async () => {
    try {
      const user = await get("/api/auth/user");
      const { user: before, ended } = latest.current;
      if (ended && before.id !== user.id) location.reload();
      setState({ ...STRANGER, user });
      if (ended) tellSessionResumed();
    } catch (problem) {
      setState((last) => ({ ...last, asking: false, problem: problem.status === 401 ? null : problem }));
    }
  };
  useEffect(() => {
    ask();
    const removals = [onRightsChange(() => ask().then(reconnect)), onSessionEnd(() => {
      suspend();
      setState((last) => ({ ...last, asking: false, ended: last.user !== null }));
    })];
    return () => removals.forEach((remove) => remove());
  }, []);
  const signIn = async (email, password) => {
    const { challenge } = await send("POST", "/api/login", { email, password });
    if (challenge) return challenge;
    await ask();
    return null;
  };
  const signInWithCode = async (challenge, code) => {
    await send("POST", "/api/login/second-factor", { challenge, code });
    await ask();
  };
  const leave = async () => {
    await disconnect();
    setState(STRANGER);
  };
  const signOut = async () => {
    await send("POST", "/api/logout");
    await leave();
  };
  return { ...state, ask, signIn, signInWithCode, signOut, leave };
}
