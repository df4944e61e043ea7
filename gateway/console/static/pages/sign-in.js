/* Sign in with the e-mail address and password of an organization's user. */

import { useAct } from "../lib/resource.js";
import { useSession } from "../lib/session.js";
import { html, useState, useTitle } from "../lib/ui.js";
import { Form, TextField } from "../parts/forms.js";
import { Mark } from "../parts/frame.js";
import { Register } from "./register.js";

export function SignIn() {
  const [isNew, setNew] = useState(false);
  return html`<main class="alone"><p class="brand"><${Mark} />EchoSenseiX</p>
    ${isNew ? html`<${Register} back=${() => setNew(false)} />` : html`<${Password} create=${() => setNew(true)} />`}
      </main>`;
}

function Password({ create }) {
  const { signIn } = useSession();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [challenge, setChallenge] = useState(null);
  const [run, { busy, problem }] = useAct(async () => setChallenge(await signIn(email.trim(), password)));
  useTitle("Sign in");
  if (challenge) return html`<${SecondFactor} challenge=${challenge} back=${() => setChallenge(null)} />`;
  return html`<h1 tabindex="-1">Sign in</h1>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Sign in"
      extra=${html`<button type="button" onClick=${create}>Create an organization</button>`}>
      <${TextField} label="E-mail address" type="email" autocomplete="username" required wide value=${email}
        onInput=${setEmail} pointer="email" problem=${problem} />
      <${TextField} label="Password" type="password" autocomplete="current-password" required wide value=${password}
        onInput=${setPassword} pointer="password" problem=${problem} />
    <//>
    <p class="small">On a machine of your own, <code>make up</code> prints the first user; <code>var/credentials.json</code> keeps it.
      The API is described at <a href="/docs">/docs</a>.</p>`;
}

function SecondFactor({ challenge, back }) {
  const { signInWithCode } = useSession();
  const [code, setCode] = useState("");
  const [run, { busy, problem }] = useAct(() => signInWithCode(challenge, code.trim()));
  return html`<h1 tabindex="-1">Second factor</h1>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Sign in"
      extra=${html`<button type="button" onClick=${back}>Back</button>`}>
      <${TextField} label="Code" autocomplete="one-time-code" required wide value=${code} onInput=${setCode}
        hint="Six digits of your authenticator, or a recovery code." pointer="code" problem=${problem} />
    <//>`;
}
