/* A new organization and its owner. Where addresses are verified, the account exists once the mailed link was opened. */

import { send } from "../lib/api.js";
import { useAct } from "../lib/resource.js";
import { useSession } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Form, TextField } from "../parts/forms.js";
import { ProblemBox } from "../parts/notices.js";

/** Characters of a password, at least; the API refuses a shorter one. */
export const SHORTEST = 8;

export function Register({ back }) {
  const { signIn } = useSession();
  const [texts, setTexts] = useState({ organizationName: "", firstName: "", lastName: "", email: "", password: "" });
  const [mailedTo, setMailedTo] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    const email = texts.email.trim();
    const { user } = await send("POST", "/api/register", { ...texts, email });
    if (user) await signIn(email, texts.password);
    else setMailedTo(email);
  });
  const field = (name) => ({ value: texts[name], pointer: name, problem,
    onInput: (value) => setTexts((known) => ({ ...known, [name]: value })) });
  if (mailedTo) return html`<${Mailed} email=${mailedTo} back=${back} />`;
  return html`<${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Create"
      extra=${html`<button type="button" onClick=${back}>Sign in instead</button>`}>
      <${TextField} label="Organization" required maxlength="200" autocomplete="organization" wide
        ...${field("organizationName")} />
      <${TextField} label="First name" maxlength="100" autocomplete="given-name" wide ...${field("firstName")} />
      <${TextField} label="Last name" maxlength="100" autocomplete="family-name" wide ...${field("lastName")} />
      <${TextField} label="E-mail address" type="email" required maxlength="254" autocomplete="username" wide
        ...${field("email")} />
      <${TextField} label="Password" type="password" required minlength=${SHORTEST} maxlength="200"
        autocomplete="new-password" hint="At least ${SHORTEST} characters." wide ...${field("password")} /><//>`;
}

function Mailed({ email, back }) {
  const [again, { busy, problem }] = useAct(() => send("POST", "/api/register/resend", { email }));
  return html`<p role="status">A mail is on its way to ${email}. Open its link within 24 hours to create the account.</p>
    <${ProblemBox} problem=${problem} />
    <div class="actions"><button type="button" disabled=${busy} onClick=${again}>Send it again</button>
      <button type="button" onClick=${back}>Back to sign-in</button></div>`;
}
