/* Where the person is signed in: device, network and time of each session. */

import { send } from "../lib/api.js";
import { useList, usePlace } from "../lib/resource.js";
import { html } from "../lib/ui.js";
import { Confirm } from "../parts/dialog.js";
import { List } from "../parts/list.js";
import { Empty, Moment, State } from "../parts/notices.js";
import { toast } from "../parts/toasts.js";

export function Sessions() {
  const [where, move] = usePlace();
  const list = useList("/api/auth/sessions", {}, where, 10);
  const end = (session) => () => send("DELETE", `/api/auth/sessions/${session.id}`);
  const ended = () => {
    toast("All other sessions have ended.");
    list.reload();
  };
  const columns = [
    { title: "Device", cell: (session) => html`<span title=${session.userAgent}>${session.device ?? session.userAgent
      ?? "Unknown"}</span>` },
    { title: "Place", cell: (session) => html`${session.ipAddress ?? "–"}
      ${session.network && html`<div class="small">${session.network}</div>`}` },
    { title: "Opened", cell: (session) => html`<${Moment} at=${session.createdAt} />` },
    { title: "Last seen", cell: (session) => html`<${Moment} at=${session.lastSeenAt} />` },
    { title: "Ends", cell: (session) => html`<${Moment} at=${session.expiresAt} />` },
    { title: "Actions", cell: (session) => (session.current
      ? html`<${State} of="active" label="This one" />`
      : html`<${Confirm} label="End" title="End this session?" question="The device has to sign in again."
        verb="End the session" act=${end(session)} done=${list.reload} />`) },
  ];
  return html`<p class="small">Where you are signed in. End those that you do not know, and change your password then.</p>
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Sessions"
      empty=${html`<${Empty} title="No session" />`} />
    <p><${Confirm} label="End all others" title="End all other sessions?" verb="End them" kind=""
      question="Every other device has to sign in again." act=${() => send("DELETE", "/api/auth/sessions")}
      done=${ended} /></p>`;
}
