/* One entry of the knowledge: its passages as an agent finds them. */

import { send, withQuery } from "../lib/api.js";
import { bytes, count, number } from "../lib/format.js";
import { useRefresh } from "../lib/live.js";
import { useList, usePlace, useResource } from "../lib/resource.js";
import { go, place } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html } from "../lib/ui.js";
import { Copyable } from "../parts/copy.js";
import { Confirm } from "../parts/dialog.js";
import { Download } from "../parts/download.js";
import { Pager } from "../parts/list.js";
import { Empty, Facts, Moment, ProblemBox, State, Tags, Waiting } from "../parts/notices.js";
import { Head } from "../parts/tabs.js";

const BACK = [["knowledge"], "Knowledge"];

export function Entry({ id }) {
  const { user } = useSession();
  const may = useMay();
  const path = `/api/knowledge-base/entries/${id}`;
  const { data: entry, problem, reload } = useResource(path);
  useRefresh(user.organization.id, "knowledge", reload);
  if (problem && !entry) return html`<${Head} title="Entry" back=${BACK} />
    <${ProblemBox} problem=${problem} again=${reload} />`;
  if (!entry) return html`<${Waiting} />`;
  const remove = () => send("DELETE", withQuery(path, { ifUnused: true }));
  return html`<${Head} title=${entry.title} back=${BACK}><${State} of=${entry.status} />
      ${entry.documentId && html`<${Download} label="Download" name=${entry.source || entry.title}
        path="/api/documents/${entry.documentId}/download" />`}
      ${may("knowledge:write") && html`<${Confirm} label="Delete" title="Delete this entry?"
        question="Its passages are not found any more. It does not come back." act=${remove}
        insist=${insistOn(path)} done=${() => go(["knowledge"])} />`}<//>
    ${entry.error && html`<${ProblemBox}
      problem=${{ title: "The document could not be read", detail: entry.error.message }} />`}
    <${Facts} of=${[
      ["Category", entry.category], ["Tags", entry.tags.length > 0 ? html`<${Tags} of=${entry.tags} />` : null],
      ["Source", entry.source], ["Pages", entry.pageCount && number(entry.pageCount)], ["Size", bytes(entry.byteSize)],
      ["Changed", html`<${Moment} at=${entry.updatedAt} />`], ["Id", html`<${Copyable} text=${entry.id} what="the id of the entry" />`],
    ]} />
    <section><h2>Passages</h2><${Passages} entry=${entry} /></section>`;
}

/** What is asked once the API has refused because agents speak from the entry: its `errors` name them. */
const insistOn = (path) => ({ code, errors }) => (code === "entry_in_use" ? {
  question: html`<strong>${count(errors.length, "agent speaks", "agents speak")} from it:</strong>
    ${" "}${errors.map(({ pointer, detail }, index) => html`${index ? ", " : ""}<a key=${pointer}
      href=${place(["agents", pointer.split("/").pop()])}>${detail}</a>`)}. They will not find it any more.`,
  verb: "Delete it anyway", act: () => send("DELETE", path),
} : null);

function Passages({ entry }) {
  const [where, move] = usePlace({ version: entry.indexVersion });
  const list = useList(`/api/knowledge-base/entries/${entry.id}/chunks`, {}, where, 10);
  if (list.problem) return html`<${ProblemBox} problem=${list.problem} again=${list.reload} />`;
  if (!list.data) return html`<${Waiting} />`;
  if (list.rows.length === 0) return html`<${Empty} title="No passage yet">
    ${entry.status === "processing" ? "The document is being read." : "It has no text."}<//>`;
  return html`<ol class="passages">${list.rows.map((chunk) => html`<li key=${chunk.id}>
      <span class="small">${[chunk.heading, chunk.page
        && `page ${number(chunk.page)}`, count(chunk.tokenCount, "token")].filter(Boolean).join(" · ")}</span>
      <p>${chunk.text}</p></li>`)}</ol>
    <${Pager} list=${list} place=${where} setPlace=${move} />`;
}
