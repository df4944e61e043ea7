/* Who is signed in. The session is an HttpOnly cookie: scripts never see the token, and nothing is kept in storage. */

import { get, onSessionEnd, send, tellSessionResumed } from "./api.js";
import { disconnect, suspend } from "./live.js";
import { createContext, useContext, useEffect, useLatest, useState } from "./ui.js";

export const SessionContext = createContext(null);
export const useSession = () => useContext(SessionContext);

/** A function that says whether the person has a scope. It decides what is shown; the API decides what is done. */
export function useMay() {
  const { scopes } = useSession().user;
  return (scope) => scopes.includes("*") || scopes.includes(scope);
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
    return onSessionEnd(() => {
      suspend();
      setState((last) => ({ ...last, asking: false, ended: last.user !== null }));
    });
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
