/* Who is signed in. The session is an HttpOnly cookie: scripts never see the token, and nothing is kept in storage. */

import { get, onSessionEnd, send } from "./api.js";
import { disconnect } from "./live.js";
import { createContext, useContext, useEffect, useState } from "./ui.js";

export const SessionContext = createContext(null);
export const useSession = () => useContext(SessionContext);

/** `{user, asking, problem, signIn, signInWithCode, signOut}`; `signIn` answers the challenge of a second factor; `user` is null for a stranger. */
export function useSessionState() {
  const [state, setState] = useState({ user: null, asking: true, problem: null });
  const ask = async () => {
    try {
      setState({ user: await get("/api/auth/user"), asking: false, problem: null });
    } catch (problem) {
      setState({ user: null, asking: false, problem: problem.status === 401 ? null : problem });
    }
  };
  useEffect(() => {
    ask();
    return onSessionEnd(() => {
      disconnect();
      setState((last) => ({ ...last, user: null, asking: false }));
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
  const signOut = async () => {
    await send("POST", "/api/logout");
    await disconnect();
    setState({ user: null, asking: false, problem: null });
  };
  return { ...state, ask, signIn, signInWithCode, signOut };
}
