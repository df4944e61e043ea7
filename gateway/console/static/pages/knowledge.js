/* Knowledge: upload documents, list entries, search with highlights. */

import { bytes, count, number, words } from "../lib/format.js";
import { useRefresh } from "../lib/live.js";
import { useList, useResource } from "../lib/resource.js";
import { place, setQuery, urlPlace } from "../lib/router.js";
import { useMay, useSession } from "../lib/session.js";
import { html } from "../lib/ui.js";
import { SearchField, SelectField } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, State } from "../parts/notices.js";
import { Head, Tabs } from "../parts/tabs.js";
import { Search } from "./knowledge-search.js";
import { Sources } from "./knowledge-sources.js";
import { NewEntry, Upload } from "./knowledge-upload.js";

const TABS = [["entries", "Entries"], ["search", "Search"], ["sources", "Sources"]];
const COLUMNS = [
  { title: "Entry", cell: (entry) => html`<a href=${place(["knowledge", entry.id])}>${entry.title}</a>` },
  { title: "State", cell: (entry) => html`<${State} of=${entry.status} />
    ${entry.error && html` <span class="small">${entry.error.message}</span>`}` },
  { title: "Kind", cell: (entry) => (entry.documentId ? kindOf(entry.mediaType) : "Text") },
  { title: "Category", cell: (entry) => entry.category ?? "–" },
  { title: "Passages", kind: "number", cell: (entry) => number(entry.chunkCount) },
  { title: "Size", kind: "number", cell: (entry) => bytes(entry.byteSize) },
  { title: "Changed", cell: (entry) => html`<${Moment} at=${entry.updatedAt} />` },
];
const KINDS = { "application/pdf": "PDF", "text/html": "HTML", "text/plain": "Text file", "text/markdown": "Markdown",
  "text/csv": "CSV", "application/rtf": "RTF" };
const kindOf = (mediaType) => KINDS[mediaType] ?? (mediaType?.includes("wordprocessing") ? "Word" : "Document");

export function Knowledge({ route, tab = "entries" }) {
  const { user } = useSession();
  const stats = useResource("/api/knowledge-base/stats");
  useRefresh(user.organization.id, "knowledge", stats.reload);
  return html`<${Head} title="Knowledge" />
    ${stats.data && html`<p class="small">${summary(stats.data)}</p>`}
    <${Tabs} base=${["knowledge"]} tabs=${TABS} current=${tab} label="Parts of knowledge" />
    ${tab === "search" ? html`<${Search} route=${route} />`
      : tab === "sources" ? html`<${Sources} route=${route} organizationId=${user.organization.id} />`
      : html`<${Entries} route=${route} organizationId=${user.organization.id} />`}`;
}

function summary({ entries, chunks, bytes: size, processing, failed }) {
  const all = `${count(entries, "entry", "entries")} with ${count(chunks, "passage")} of ${bytes(size)}`;
  const some = [processing && `${number(processing)} in processing`, failed && `${number(failed)} failed`];
  return [all, ...some.filter(Boolean)].join("; ");
}

function Entries({ route, organizationId }) {
  const may = useMay();
  const { search = "", status = "" } = route.query;
  const [where, move] = urlPlace(route);
  const list = useList("/api/knowledge-base/entries", { search, status }, where, 25);
  useRefresh(organizationId, "knowledge", list.reload);
  return html`${may("knowledge:write") && html`<${Upload} done=${list.reload} />`}
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <${SearchField} label="Title" value=${search} onSearch=${(text) => setQuery({ search: text })}
        placeholder="Words of the title" />
      <${SelectField} label="State" value=${status} onInput=${(value) => setQuery({ status: value })}
        options=${[["", "All"], ...["processing", "completed", "failed"].map((name) => [name, words(name)])]} />
    </form>
    <${List} read=${list} place=${where} setPlace=${move} columns=${COLUMNS} label="Entries" empty=${search || status
      ? html`<${Empty} title="No entry matches">Change or <a href=${place(["knowledge"])}>remove the filters</a>.<//>`
      : html`<${Empty} title="No knowledge yet">Upload a document above, or write a text. Agents answer from what is here.<//>`} />
    ${may("knowledge:write") && html`<p><${NewEntry} done=${list.reload} /></p>`}`;
}
