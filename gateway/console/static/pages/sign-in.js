/* Sign in with password or OpenID, the second factor, a forgotten password, and a sign-in over a page whose session has
   ended. */

import { send } from "../lib/api.js";
import { useAct, useResource } from "../lib/resource.js";
import { useSession } from "../lib/session.js";
import { html, LookContext, useContext, useEffect, useRef, useState } from "../lib/ui.js";
import { Alone } from "../parts/alone.js";
import { Dialog } from "../parts/dialog.js";
import { Form, TextField } from "../parts/forms.js";
import { ProblemBox } from "../parts/notices.js";
import { Register } from "./register.js";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);
const TITLES = { password: "Sign in", register: "Create an organization", forgot: "Set a new password" };

export function SignIn() {
  const [view, setView] = useState("password");
  const back = () => setView("password");
  return html`<${Alone} title=${TITLES[view]}>
    ${view === "register" && html`<${Register} back=${back} />`}
    ${view === "forgot" && html`<${Forgot} back=${back} />`}
    ${view === "password" && html`<${Password} setView=${setView} />`}
    <${Help} /><//>`;
}

/** Where strangers find help: the host's own, or on a developer's machine what this one prints. */
function Help() {
  const look = useContext(LookContext);
  const { supportEmail, supportUrl } = look ?? {};
  if (supportEmail || supportUrl) return html`<p class="small">Help:${" "}
    ${supportUrl && html`<a href=${supportUrl} rel="noreferrer">${new URL(supportUrl).hostname}</a>`}${" "}
    ${supportEmail && html`<a href="mailto:${supportEmail}">${supportEmail}</a>`}</p>`;
  if (!LOOPBACK.has(location.hostname)) return null;
  return html`<p class="small">On a machine of your own, <code>make up</code> prints the first user; <code>var/credentials.json</code> keeps it.
    The API is described at <a href="/docs">/docs</a>.</p>`;
}

function Password({ setView }) {
  const [challenge, setChallenge] = useState(null);
  if (challenge) return html`<${SecondFactor} challenge=${challenge} back=${() => setChallenge(null)} />`;
  return html`<${Credentials} setChallenge=${setChallenge}
      extra=${html`<button type="button" onClick=${() => setView("register")}>Create an organization</button>`} />
    <p><button type="button" class="quiet" onClick=${() => setView("forgot")}>Forgot the password?</button></p>
    <${OpenId} />`;
}

function Credentials({ setChallenge, extra, address = "" }) {
  const { signIn } = useSession();
  const [email, setEmail] = useState(address);
  const [password, setPassword] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    const challenge = await signIn(email.trim(), password);
    if (challenge) setChallenge(challenge);
  });
  return html`<${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Sign in" extra=${extra}>
    <${TextField} label="E-mail address" type="email" autocomplete="username" required wide value=${email}
      onInput=${setEmail} pointer="email" problem=${problem} />
    <${TextField} label="Password" type="password" autocomplete="current-password" required wide value=${password}
      onInput=${setPassword} pointer="password" problem=${problem} /><//>`;
}

/** The second step of a login: a code for its challenge. */
export function SecondFactor({ challenge, back, done }) {
  const { signInWithCode } = useSession();
  const [code, setCode] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    await signInWithCode(challenge, code.trim());
    done?.();
  });
  const box = useRef(null);
  useEffect(() => box.current.querySelector("input").focus(), []);
  return html`<div ref=${box}><h2>Second factor</h2>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Sign in"
      extra=${html`<button type="button" onClick=${back}>Back</button>`}>
      <${TextField} label="Code" autocomplete="one-time-code" required wide value=${code} onInput=${setCode}
        hint="Six digits of your authenticator, or a recovery code." pointer="code" problem=${problem} />
    <//></div>`;
}

/** Shown where the installation has an OpenID provider. */
function OpenId() {
  const methods = useResource("/api/login/methods");
  const [run, { busy, problem }] = useAct(async () => {
    const { authorizationUrl } = await send("POST", "/api/login/openid");
    location.assign(authorizationUrl);
  });
  if (!methods.data?.openid) return null;
  return html`<p><button type="button" disabled=${busy} onClick=${run}>Sign in with ${methods.data.openidIssuer}</button>
    </p><${ProblemBox} problem=${problem} />`;
}

function Forgot({ back }) {
  const [email, setEmail] = useState("");
  const [mailed, setMailed] = useState(false);
  const [run, { busy, problem }] = useAct(async () => {
    await send("POST", "/api/auth/password/forgot", { email: email.trim() });
    setMailed(true);
  });
  const leave = html`<button type="button" onClick=${back}>Back to sign-in</button>`;
  if (mailed) return html`<p role="status">A mail is on its way to ${email}. Open its link within an hour.</p>
    <div class="actions">${leave}</div>`;
  return html`<p>Enter your address. A mail brings the link that sets a new password.</p>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Send the link" extra=${leave}>
      <${TextField} label="E-mail address" type="email" autocomplete="username" required wide value=${email}
        onInput=${setEmail} pointer="email" problem=${problem} /><//>`;
}

/** Over the page whose session has ended: what was entered there stays. */
export function SignInAgain() {
  const { user, leave } = useSession();
  const [challenge, setChallenge] = useState(null);
  return html`<${Dialog} title="Your session has ended" onClose=${leave}>
    <p>Sign in again. What you entered on this page is still there.</p>
    ${challenge ? html`<${SecondFactor} challenge=${challenge} back=${() => setChallenge(null)} />`
      : html`<${Credentials} address=${user.email} setChallenge=${setChallenge}
        extra=${html`<button type="button" onClick=${leave}>Leave the page</button>`} />`}<//>`;
}
