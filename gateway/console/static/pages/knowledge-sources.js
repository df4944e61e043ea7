/* Sources: web pages and sitemaps that the knowledge follows, with when they were read and what failed. */

import { send } from "../lib/api.js";
import { duration, fullMoment, number, words } from "../lib/format.js";
import { useRefresh } from "../lib/live.js";
import { useAct, useList } from "../lib/resource.js";
import { setQuery, urlPlace } from "../lib/router.js";
import { useMay } from "../lib/session.js";
import { html, useState } from "../lib/ui.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { Form, fromCommas, SelectField, TextField, toCommas } from "../parts/forms.js";
import { List } from "../parts/list.js";
import { Empty, Moment, State } from "../parts/notices.js";
import { toast, toastProblem } from "../parts/toasts.js";

const INTERVALS = [["", "Only when asked"], ["3600", "Every hour"], ["86400", "Every day"], ["604800", "Every week"]];
const KINDS = [["url", "One page"], ["sitemap", "The pages of a sitemap"]];
const PATH = "/api/knowledge-base/sources";

export function Sources({ route, organizationId }) {
  const may = useMay();
  const { status = "" } = route.query;
  const [where, move] = urlPlace(route);
  const [open, setOpen] = useState(null);
  const list = useList(PATH, { status }, where, 25);
  useRefresh(organizationId, "knowledge", list.reload);
  const refresh = (source) => () => send("POST", `${PATH}/${source.id}/refresh`).then(() => {
    toast("The source is being read.");
    list.reload();
  }, toastProblem);
  const remove = (source) => () => send("DELETE", `${PATH}/${source.id}`, undefined, { version: source.version });
  const columns = [
    { title: "Source", cell: (source) => html`${source.title ?? source.url}
      ${source.title && html`<div class="small">${source.url}</div>`}` },
    { title: "State", cell: (source) => html`<${State} of=${source.status} />
      ${source.error && html` <span class="small">${source.error.message}</span>`}
      ${source.staleSince && html` <span class="small" title=${fullMoment(source.staleSince)}>stale</span>`}` },
    { title: "Kind", cell: (source) => KINDS.find(([name]) => name === source.kind)?.[1] ?? words(source.kind) },
    { title: "Pages", kind: "number", cell: (source) => number(source.pageCount) },
    { title: "Last read", cell: (source) => html`<${Moment} at=${source.checkedAt} />` },
    { title: "Next read", cell: (source) => html`<${Moment} at=${source.nextRefreshAt} />` },
    ...(may("knowledge:write") ? [{ title: "Actions", cell: (source) => html`<span class="row-actions">
      <button type="button" class="quiet" onClick=${refresh(source)}>Read now</button>
      <button type="button" class="quiet" onClick=${() => setOpen(source)}>Change</button>
      <${Confirm} label="Delete" title="Delete this source?" question="The entries of its pages are deleted too."
        act=${remove(source)} done=${list.reload} /></span>` }] : []),
  ];
  return html`${may("knowledge:write") && html`<p><button type="button" class="primary"
      onClick=${() => setOpen({})}>Follow an address</button></p>`}
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${SelectField} label="State" value=${status} onInput=${(value) => setQuery({ status: value })}
        options=${[["", "All"], ...["pending", "current", "failed"].map((name) => [name, words(name)])]} /></form>
    <${List} read=${list} place=${where} setPlace=${move} columns=${columns} label="Sources" empty=${status
      ? html`<${Empty} title="No source has this state" />`
      : html`<${Empty} title="No source yet">Follow a page or a sitemap; its text is read again at the interval that you choose.<//>`} />
    ${open && html`<${Source} of=${open} onClose=${() => setOpen(null)}
      done=${() => { setOpen(null); list.reload(); }} />`}`;
}

function Source({ of: source, onClose, done }) {
  const isNew = !source.id;
  const [texts, setTexts] = useState({ url: source.url ?? "", kind: source.kind ?? "url", title: source.title ?? "",
    category: source.category ?? "", tags: toCommas(source.tags),
    refresh: String(source.refreshIntervalSeconds ?? (isNew ? "86400" : "")) });
  const [run, { busy, problem }] = useAct(async () => {
    const change = { title: texts.title.trim() || null, category: texts.category.trim() || null,
      tags: fromCommas(texts.tags), refreshIntervalSeconds: texts.refresh ? Number(texts.refresh) : null };
    if (isNew) await send("POST", PATH, { ...change, url: texts.url.trim(), kind: texts.kind });
    else await send("PATCH", `${PATH}/${source.id}`, change, { version: source.version });
    toast(isNew ? "The source is being read." : "The source is changed.");
    done();
  });
  const field = (name, pointer = name) => ({ value: texts[name], pointer, problem,
    onInput: (value) => setTexts((known) => ({ ...known, [name]: value })) });
  const own = texts.refresh && !INTERVALS.some(([value]) => value === texts.refresh)
    ? [[texts.refresh, `Every ${duration(Number(texts.refresh))}`]] : [];
  return html`<${Dialog} title=${isNew ? "Follow an address" : "Change the source"} onClose=${onClose}>
    <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit=${isNew ? "Follow" : "Save"}
      extra=${html`<button type="button" onClick=${onClose}>Cancel</button>`}>
      ${isNew && html`<${TextField} label="Address" type="url" required maxlength="2000" wide placeholder="https://"
          ...${field("url")} />
        <${SelectField} label="It is" options=${KINDS} ...${field("kind")} />`}
      <${SelectField} label="Read it again" options=${[...INTERVALS, ...own]}
        ...${field("refresh", "refreshIntervalSeconds")} />
      <${TextField} label="Title" maxlength="200" ...${field("title")} />
      <${TextField} label="Category" maxlength="100" ...${field("category")} />
      <${TextField} label="Tags" hint="Separated by commas." ...${field("tags")} /><//><//>`;
}
