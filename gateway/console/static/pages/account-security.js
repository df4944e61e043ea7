/* How the person signs in: the password, and the second factor with its recovery codes. */

import { send } from "../lib/api.js";
import { count } from "../lib/format.js";
import { useAct, useResource } from "../lib/resource.js";
import { useSession } from "../lib/session.js";
import { html, LookContext, SUITE_NAME, useContext, useState } from "../lib/ui.js";
import { CopyButton } from "../parts/copy.js";
import { Dialog } from "../parts/dialog.js";
import { saveBlob } from "../parts/download.js";
import { Form, TextField } from "../parts/forms.js";
import { Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { QrCode } from "../parts/qr.js";
import { toast } from "../parts/toasts.js";
import { NewPassword } from "./links.js";

export function Security() {
  return html`<section><h2>Password</h2><${Password} /></section>
    <section><h2>Second factor</h2><${Factor} /></section>`;
}

function Password() {
  const [currentPassword, setCurrent] = useState("");
  const [newPassword, setNew] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    await send("POST", "/api/auth/password", { currentPassword, newPassword });
    setCurrent("");
    setNew("");
    toast("The password is changed. All other sessions have ended.");
  });
  return html`<${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Change the password">
    <${TextField} label="Current password" type="password" required maxlength="200" autocomplete="current-password"
      value=${currentPassword} onInput=${setCurrent} pointer="currentPassword" problem=${problem} />
    <${NewPassword} wide=${false} pointer="newPassword" value=${newPassword} onInput=${setNew} problem=${problem} /><//>`;
}

// Which dialog is open: what it asks for, and the route that takes it.
const ASKS = {
  begin: { title: "Turn the second factor on", path: "/api/auth/second-factor", field: "password" },
  codes: { title: "New recovery codes", path: "/api/auth/second-factor/recovery-codes", field: "code" },
  off: { title: "Turn the second factor off", path: "/api/auth/second-factor/disable", field: "code" },
};

function Factor() {
  const factor = useResource("/api/auth/second-factor");
  const [asking, setAsking] = useState("");
  const [secret, setSecret] = useState(null);
  const [codes, setCodes] = useState(null);
  const { data, problem, reload } = factor;
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  const answered = (answer) => {
    if (asking === "begin") setSecret(answer);
    else if (asking === "codes") setCodes(answer.recoveryCodes);
    else toast("The second factor is off.");
    setAsking("");
    reload();
  };
  const open = (name) => () => setAsking(name);
  return html`<p><${State} of=${data.enabled ? "enabled" : "off"} label=${data.enabled ? "On" : "Off"} />${" "}
      ${data.enabled ? html`since <${Moment} at=${data.enabledAt} />, ${count(data.recoveryCodesLeft, "recovery code")}
        ${" "}left.` : "With it, a sign-in needs a code of your authenticator besides the password."}</p>
    <div class="actions">${data.enabled
      ? html`<button type="button" onClick=${open("codes")}>New recovery codes</button>
        <button type="button" class="danger" onClick=${open("off")}>Turn off</button>`
      : html`<button type="button" class="primary" onClick=${open("begin")}>Turn on</button>`}</div>
    ${asking && html`<${Ask} ...${ASKS[asking]} onClose=${() => setAsking("")} done=${answered} />`}
    ${secret && html`<${Enrollment} of=${secret} onClose=${() => setSecret(null)}
      done=${(fresh) => { setSecret(null); setCodes(fresh); reload(); }} />`}
    ${codes && html`<${Codes} of=${codes} onClose=${() => setCodes(null)} />`}`;
}

function Ask({ title, path, field, onClose, done }) {
  const [text, setText] = useState("");
  const [run, { busy, problem }] = useAct(async () => done(await send("POST", path, { [field]: text.trim() })));
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Go on"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      ${field === "password" ? html`<${TextField} label="Your password" type="password" required maxlength="200" wide
          autocomplete="current-password" value=${text} onInput=${setText} pointer="password" problem=${problem} />`
        : html`<${Code} value=${text} onInput=${setText} problem=${problem} />`}<//><//>`;
}

function Code({ ...given }) {
  return html`<${TextField} label="Code" required minlength="6" maxlength="40" wide autocomplete="one-time-code"
    hint="Six digits of your authenticator, or a recovery code." pointer="code" ...${given} />`;
}

/** The secret for an authenticator, and the first code of it. */
function Enrollment({ of: { secret, otpauthUrl }, onClose, done }) {
  const [code, setCode] = useState("");
  const [run, { busy, problem }] = useAct(async () => {
    done((await send("POST", "/api/auth/second-factor/confirm", { code: code.trim() })).recoveryCodes);
  });
  return html`<${Dialog} title="Add it to your authenticator" onClose=${onClose}>
    <p>Scan this code with your authenticator, or <a href=${otpauthUrl}>open it there</a> on this device.</p>
    <${QrCode} text=${otpauthUrl} label="The secret as a QR code" />
    <details><summary>Enter the secret by hand</summary>
      <p><code class="secret">${secret.match(/.{1,4}/g).join(" ")}</code></p><${CopyButton} text=${secret} /></details>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Turn on"
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      <${TextField} label="First code" required minlength="6" maxlength="40" wide inputmode="numeric"
        autocomplete="one-time-code" hint="Six digits that the authenticator shows." value=${code} onInput=${setCode}
        pointer="code" problem=${problem} /><//><//>`;
}

function Codes({ of: codes, onClose }) {
  const { user } = useSession();
  const product = useContext(LookContext)?.productName ?? SUITE_NAME;
  const file = () => saveBlob(new Blob([`Recovery codes of ${user.email} at ${product}.\nEach works once.\n\n`,
    codes.map((code) => `${code}\n`).join("")], { type: "text/plain" }), "recovery-codes.txt");
  return html`<${Dialog} title="Recovery codes" onClose=${onClose}>
    <p>Store them now. Each replaces the authenticator once; they are not shown again.</p>
    <p class="on-paper">${product}, ${user.email}</p>
    <ul class="codes">${codes.map((code) => html`<li key=${code}><code>${code}</code></li>`)}</ul>
    <div class="actions"><${CopyButton} text=${codes.join("\n")} />
      <button type="button" onClick=${file}>Download</button>
      <button type="button" onClick=${() => print()}>Print</button>
      <button type="button" class="primary" onClick=${onClose}>I have stored them</button></div><//>`;
}
