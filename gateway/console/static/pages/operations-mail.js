/* The local mailbox: what the suite would have mailed where no mail server is configured. */

import { useList } from "../lib/resource.js";
import { urlPlace } from "../lib/router.js";
import { html } from "../lib/ui.js";
import { List } from "../parts/list.js";
import { Empty, Moment } from "../parts/notices.js";

const COLUMNS = [
  { title: "Subject", cell: (mail) => html`<details><summary>${mail.subject}</summary><pre>${mail.text}</pre>
    </details>` },
  { title: "To", cell: (mail) => mail.to.join(", ") },
  { title: "Sent", cell: (mail) => html`<${Moment} at=${mail.createdAt} />` },
];

export function Mail({ route }) {
  const [where, move] = urlPlace(route);
  const list = useList("/api/admin/mail", {}, where, 25);
  return html`<${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Mail"
    empty=${html`<${Empty} title="No mail">Alerts about credit and webhook endpoints land here while no mail server is configured.<//>`} />`;
}
