/* The organizations that the account is in, and the way from one to another. */

import { send } from "../lib/api.js";
import { words } from "../lib/format.js";
import { useResource } from "../lib/resource.js";
import { place } from "../lib/router.js";
import { html } from "../lib/ui.js";
import { Table } from "../parts/list.js";
import { Moment, ProblemBox, State, Waiting } from "../parts/notices.js";
import { toastProblem } from "../parts/toasts.js";

/** A new session in another organization; everything on the page belongs to the old one, so the console starts anew. */
const change = (organizationId) => () => send("POST", "/api/auth/organizations/switch", { organizationId }).then(() => {
  history.replaceState(null, "", place([]));
  location.reload();
}, toastProblem);

const COLUMNS = [
  { title: "Organization", cell: ({ organization }) => organization.name },
  { title: "Your role", cell: ({ user }) => words(user.role) },
  { title: "Member since", cell: ({ user }) => html`<${Moment} at=${user.createdAt} />` },
  { title: "Actions", cell: ({ organization, current }) => (current ? html`<${State} of="active" label="This one" />`
    : html`<button type="button" class="quiet" onClick=${change(organization.id)}>Go there</button>`) },
];

export function Organizations() {
  const { data, problem, reload } = useResource("/api/auth/organizations");
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  return html`<p class="small">Each invitation that you accept adds one. Your session moves; you stay signed in.</p>
    <${Table} rows=${data.data.map((row) => ({ ...row, id: row.organization.id }))} columns=${COLUMNS}
      label="Organizations" />`;
}
