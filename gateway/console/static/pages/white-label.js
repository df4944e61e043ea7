/* How the organization shows itself: name, logo, colors and support, with a preview; and the hosts that show it. */

import { send } from "../lib/api.js";
import { contrast, LEAST, logoPath, paletteOf } from "../lib/look.js";
import { number } from "../lib/format.js";
import { useAct, useResource } from "../lib/resource.js";
import { useMay } from "../lib/session.js";
import { html, useEffect, useId, useRef, useState } from "../lib/ui.js";
import { Field, Form, TextField } from "../parts/forms.js";
import { Mark } from "../parts/frame.js";
import { ProblemBox, Waiting } from "../parts/notices.js";
import { Head, Tabs } from "../parts/tabs.js";
import { toast } from "../parts/toasts.js";
import { Hosts } from "./white-label-hosts.js";

const TABS = [["look", "Look"], ["hosts", "Hosts"]];
const COLORS = [["primaryColor", "Buttons and links"], ["primaryTextColor", "Text on buttons"],
  ["backgroundColor", "Pages"], ["textColor", "Text of pages"]];
const LOGO_BYTES = 256 * 1024;

export function WhiteLabel({ route, tab = "look" }) {
  return html`<${Head} title="White label" />
    <p class="lead small">Visitors of your own hosts see your name, logo and colors at sign-in and in the console; mails
      of invitations name your product too.</p>
    <${Tabs} base=${["white-label"]} tabs=${TABS} current=${tab} label="Parts of the white label" />
    ${tab === "hosts" ? html`<${Hosts} route=${route} />` : html`<${Look} />`}`;
}

function Look() {
  const { data, problem, reload, replace } = useResource("/api/whitelabel");
  if (problem && !data) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  return html`<${Settings} key=${data.version} of=${data} replace=${replace} />`;
}

function Settings({ of: look, replace }) {
  const may = useMay();
  const [before] = useState({ ...look, supportEmail: look.supportEmail ?? "", supportUrl: look.supportUrl ?? "" });
  const [texts, setTexts] = useState(before);
  // Undefined: as it is; null: none; else a file that was chosen.
  const [logo, setLogo] = useState(undefined);
  const names = ["productName", ...COLORS.map(([name]) => name), "supportEmail", "supportUrl"];
  const changed = names.filter((name) => texts[name] !== before[name]);
  const dirty = changed.length > 0 || logo !== undefined;
  const [run, { busy, problem }] = useAct(async () => {
    const patch = Object.fromEntries(changed.map((name) => [name, texts[name].trim()]));
    if (logo !== undefined) patch.logo = logo ? await base64(logo) : "";
    replace(await send("PATCH", "/api/whitelabel", patch, { version: look.version }));
    toast("The look is saved. Hosts show it within a minute.");
  });
  const field = (name) => ({ value: texts[name], pointer: name, problem,
    onInput: (value) => setTexts((known) => ({ ...known, [name]: value })) });
  return html`<div class="beside"><div>
      <${Form} onSubmit=${run} busy=${busy} ready=${dirty} problem=${problem} locked=${!may("members:write")}
        submit=${dirty ? "Save" : "Saved"}>
        <${TextField} label="Name of the product" required maxlength="60" wide ...${field("productName")} />
        ${COLORS.map(([name, label]) => html`<${ColorField} key=${name} label=${label} ...${field(name)} />`)}
        <${LogoField} look=${look} logo=${logo} setLogo=${setLogo} problem=${problem} />
        <${TextField} label="Support by mail" type="email" maxlength="254" hint="Empty: none."
          ...${field("supportEmail")} />
        <${TextField} label="Page with help" type="url" maxlength="500" placeholder="https://" hint="Empty: none."
          ...${field("supportUrl")} /><//></div>
    <${Preview} texts=${texts} look=${look} logo=${logo} /></div>`;
}

/** A color by the browser's chooser or as a text. */
function ColorField({ label, value, onInput, pointer, problem }) {
  return html`<${Field} label=${label} pointer=${pointer} problem=${problem}>${(given) => html`<span class="color">
    <input type="color" aria-label="Choose: ${label}" value=${isColor(value) ? value : "#000000"}
      onInput=${(event) => onInput(event.target.value)} />
    <input ...${given} value=${value} required pattern="#[0-9A-Fa-f]{6}" maxlength="7" spellcheck=${false}
      title="Six hexadecimal digits after #, such as #0f766e" onInput=${(event) => onInput(event.target.value)} /></span>`}<//>`;
}

const isColor = (text) => /^#[0-9A-Fa-f]{6}$/.test(text);

function LogoField({ look, logo, setLogo, problem }) {
  const id = useId();
  const [wrong, setWrong] = useState("");
  const take = (event) => {
    const [file] = event.target.files;
    setWrong(file && file.size > LOGO_BYTES ? "The image is larger than 256 KiB." : "");
    if (file && file.size <= LOGO_BYTES) setLogo(file);
  };
  const refused = (problem?.errors ?? []).filter(({ pointer }) => pointer === "#/logo").map(({ detail }) => detail);
  const said = wrong || refused.join(" ");
  return html`<div class="field wide"><label for=${id}>Logo</label>
    <input id=${id} type="file" accept="image/png,image/jpeg,image/webp" onChange=${take} aria-describedby="${id}-hint" />
    <p class="hint" id="${id}-hint">PNG, JPEG or WebP of at most 256 KiB and 2,048 pixels; without one the mark of the suite
      is shown.</p>
    ${said && html`<p class="wrong" role="alert">${said}</p>`}
    ${(logo || (logo === undefined && look.logoUrl)) && html`<button type="button" class="quiet"
      onClick=${() => setLogo(null)}>Use no logo</button>`}</div>`;
}

/** The sign-in page and a part of the console as visitors will see them, and whether their text can be read. */
function Preview({ texts, look, logo }) {
  const complete = COLORS.every(([name]) => isColor(texts[name]));
  if (!complete) return html`<section class="card"><h2>Preview</h2><p class="small">Write each color as # and six
    hexadecimal digits.</p></section>`;
  const ratios = /** @type {[string, number][]} */ ([["Text on buttons", contrast(texts.primaryColor, texts.primaryTextColor)],
    ["Text of pages", contrast(texts.backgroundColor, texts.textColor)]]);
  // The suite's own colors have no palette: what surrounds the preview has them already.
  const palette = paletteOf(texts, false);
  return html`<section aria-label="Preview"><div class="preview" style=${palette} aria-hidden="true">
      <p class="brand"><${Logo} look=${look} logo=${logo} />${texts.productName || "Name"}</p>
      <p class="preview-title">Sign in</p>
      <p class="preview-label">E-mail address</p><p class="preview-input">you@example.com</p>
      <p><span class="preview-button">Sign in</span> <span class="preview-link">Forgot the password?</span></p>
      <p class="preview-soft">Help: ${texts.supportEmail || texts.supportUrl || "no one is named yet"}</p></div>
    <ul class="plain">${ratios.map(([name, ratio]) => html`<li key=${name} class=${ratio < LEAST ? "wrong" : "small"}>
      ${name}: contrast ${number(Math.round(ratio * 10) / 10)} to 1${ratio < LEAST ? `; at least ${LEAST} is needed to read it` : ""}.
      </li>`)}</ul>
    <p class="small">Where a reader's system is dark, pages stay dark, and buttons and links have your color, lightened as
      far as reading needs.</p></section>`;
}

/** The logo that is stored, or the chosen file as a picture of its pixels, which asks no address. */
function Logo({ look, logo }) {
  const canvas = useRef(null);
  useEffect(() => {
    if (!logo) return;
    createImageBitmap(logo).then((image) => {
      const { current } = canvas;
      if (!current) return;
      current.width = image.width;
      current.height = image.height;
      current.getContext("2d").drawImage(image, 0, 0);
    }, () => undefined);
  }, [logo]);
  if (logo) return html`<canvas ref=${canvas} class="logo"></canvas>`;
  if (logo === undefined && look.logoUrl) return html`<img class="logo" src=${logoPath(look)} alt="" />`;
  return html`<${Mark} />`;
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  bytes.forEach((byte) => { text += String.fromCharCode(byte); });
  return btoa(text);
}
