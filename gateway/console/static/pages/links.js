/* What mailed links open, and where an OpenID provider sends the browser back. A token is sent at the press of a button,
   because scanners of mails follow links. */

import { Problem, send } from "../lib/api.js";
import { moment, words } from "../lib/format.js";
import { useAct } from "../lib/resource.js";
import { go, place } from "../lib/router.js";
import { useSession } from "../lib/session.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { Alone } from "../parts/alone.js";
import { Form, TextField } from "../parts/forms.js";
import { Facts, ProblemBox, Waiting } from "../parts/notices.js";
import { SHORTEST } from "./register.js";
import { SecondFactor, SignIn } from "./sign-in.js";

const toStart = html`<div class="actions"><a class="button" href=${place([])}>Go to the console</a></div>`;

/** A page with one act. `says` is what it did; `children` are its fields. */
function OneAct({ title, text, submit, act, says, children }) {
  const { ask } = useSession();
  const [done, setDone] = useState(false);
  const [run, { busy, problem }] = useAct(async () => {
    await act();
    setDone(true);
    await ask();
  });
  return html`<${Alone} title=${title}>${done ? html`<p role="status">${says}</p>${toStart}`
    : html`<p>${text}</p><${Form} onSubmit=${run} busy=${busy} problem=${problem} submit=${submit}>
      ${children?.(problem)}<//>`}<//>`;
}

function VerifyEmail({ route }) {
  return html`<${OneAct} title="Verify your e-mail address" submit="Create my account"
    text="Your organization and your account are created now." says="Your account is there. You can sign in now."
    act=${() => send("POST", "/api/register/verify", { token: route.parts[1] })} />`;
}

function ResetPassword({ route }) {
  const [password, setPassword] = useState("");
  return html`<${OneAct} title="Set a new password" submit="Set the password" text="All sessions of the account end."
    says="The password is set. You can sign in now."
    act=${() => send("POST", "/api/auth/password/reset", { token: route.parts[1], password })}>
    ${(problem) => html`<${NewPassword} value=${password} onInput=${setPassword} problem=${problem} />`}<//>`;
}

function ConfirmEmail({ route }) {
  const { user } = useSession();
  // The account that asked has to be signed in; afterwards this page shows again.
  if (!user) return html`<${SignIn} />`;
  return html`<${OneAct} title="Confirm your new e-mail address" submit="Use this address"
    text="You are signed in with ${user.email}." says="You sign in with the new address from now on."
    act=${() => send("POST", "/api/auth/email/confirm", { token: route.parts[1] })} />`;
}

function AcceptInvitation({ route }) {
  const token = route.parts[1];
  const [texts, setTexts] = useState({ firstName: "", lastName: "", password: "" });
  const [offer, setOffer] = useState(null);
  const [look, { problem }] = useAct(async () => setOffer(await send("POST", "/api/invitations/preview", { token })));
  useEffect(() => {
    look();
  }, []);
  if (problem) return html`<${Alone} title="Join an organization"><${ProblemBox} problem=${problem} />${toStart}<//>`;
  if (!offer) return html`<${Alone} title="Join an organization"><${Waiting} /><//>`;
  const field = (name, found) => ({ value: texts[name], pointer: name, problem: found,
    onInput: (value) => setTexts((known) => ({ ...known, [name]: value })) });
  const given = Object.fromEntries(Object.entries(texts).filter(([, text]) => text));
  return html`<${OneAct} title="Join ${offer.organizationName}" submit="Join"
    text=${html`<${Facts} of=${[["Address", offer.email], ["Role", words(offer.role)],
      ["Open until", moment(offer.expiresAt)]]} />`}
    says="You are a member of ${offer.organizationName}. Sign in with ${offer.email}."
    act=${() => send("POST", "/api/invitations/accept", { token, ...given })}>${(found) => html`
      <${TextField} label="First name" maxlength="100" autocomplete="given-name" wide ...${field("firstName", found)} />
      <${TextField} label="Last name" maxlength="100" autocomplete="family-name" wide ...${field("lastName", found)} />
      ${!offer.hasAccount && html`<${NewPassword} ...${field("password", found)} />`}`}<//>`;
}

export function NewPassword({ label = "New password", pointer = "password", ...given }) {
  return html`<${TextField} label=${label} type="password" required minlength=${SHORTEST} maxlength="200" wide
    autocomplete="new-password" hint="At least ${SHORTEST} characters." pointer=${pointer} ...${given} />`;
}

function Unsubscribe({ route }) {
  return html`<${OneAct} title="End these mails" submit="Send me no more of them"
    text="You get no more mails of the kind whose link you opened. Your account has the choice under “Mails”."
    says="Done. Under “Mails” of your account you can turn them on again."
    act=${() => send("POST", `/api/notifications/unsubscribe/${encodeURIComponent(route.parts[1])}`)} />`;
}

/** The provider's answer, sent once; a second factor may follow. */
function OpenIdAnswer({ route }) {
  const { ask } = useSession();
  const [challenge, setChallenge] = useState(null);
  const leave = () => go([]);
  const [complete, { problem }] = useAct(async () => {
    const { code = "", state = "", error, error_description: told } = route.query;
    if (error) throw new Problem({ status: 0, title: "The provider refused the sign-in", detail: told || error });
    const answer = await send("POST", "/api/login/openid/complete", { code, state });
    if (answer.challenge) {
      setChallenge(answer.challenge);
      return;
    }
    await ask();
    leave();
  });
  useEffect(() => {
    complete();
  }, []);
  return html`<${Alone} title="Signing in"><${ProblemBox} problem=${problem} />
    ${challenge ? html`<${SecondFactor} challenge=${challenge} back=${leave} done=${leave} />`
      : problem ? toStart : html`<${Waiting} what="The sign-in is being checked." />`}<//>`;
}

/** By the first part of the address. */
export const LINKS = { "verify-email": VerifyEmail, "reset-password": ResetPassword, "confirm-email": ConfirmEmail,
  "accept-invitation": AcceptInvitation, unsubscribe: Unsubscribe, openid: OpenIdAnswer };
