/* Which mails the person gets in this organization. Mails about sign-in and security are always sent. */

import { send } from "../lib/api.js";
import { useAct, useResource } from "../lib/resource.js";
import { html, useState } from "../lib/ui.js";
import { ProblemBox, Waiting } from "../parts/notices.js";
import { toast } from "../parts/toasts.js";

const TITLES = [["creditLow", "the credit runs low"],
  ["webhookEndpoints", "a webhook endpoint fails or was disabled"]];

export function Notifications() {
  const { data, problem, reload, replace } = useResource("/api/me/notifications");
  // What a person has just chosen, until the API has taken or refused it.
  const [chosen, setChosen] = useState({});
  const [set, { busy, problem: refusal }] = useAct(async (name, sent) => {
    replace(await send("PATCH", "/api/me/notifications", { [name]: sent }));
    toast(sent ? "You get these mails." : "You get no more of these mails.");
  });
  const choose = async (name, sent) => {
    setChosen({ [name]: sent });
    await set(name, sent);
    setChosen({});
  };
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  return html`<p class="small">Mails about passwords, addresses, invitations and sign-in are always sent.</p>
    <${ProblemBox} problem=${refusal} />
    <fieldset class="switches"><legend>Mail me when</legend>${TITLES.map(([name, title]) =>
      html`<label key=${name}><input type="checkbox" checked=${chosen[name] ?? data[name]} disabled=${busy}
        onChange=${(event) => choose(name, event.target.checked)} />${title}</label>`)}</fieldset>
    <p class="small">These mails go to the owners of the organization.</p>`;
}
