/* A new organization and its owner. */

import { send } from "../lib/api.js";
import { useAct } from "../lib/resource.js";
import { useSession } from "../lib/session.js";
import { html, useState, useTitle } from "../lib/ui.js";
import { Form, TextField } from "../parts/forms.js";

const SHORTEST = 8;

export function Register({ back }) {
  const { signIn } = useSession();
  const [texts, setTexts] = useState({ organizationName: "", firstName: "", lastName: "", email: "", password: "" });
  const [run, { busy, problem }] = useAct(async () => {
    const email = texts.email.trim();
    await send("POST", "/api/register", { ...texts, email });
    await signIn(email, texts.password);
  });
  useTitle("Create an organization");
  const field = (name) => ({ value: texts[name], pointer: name, problem,
    onInput: (value) => setTexts((known) => ({ ...known, [name]: value })) });
  return html`<h1 tabindex="-1">Create an organization</h1>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Create"
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
