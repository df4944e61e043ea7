/* Asking the knowledge as an agent does: passages with scores and highlights. */

import { send } from "../lib/api.js";
import { count, number, words } from "../lib/format.js";
import { useAct } from "../lib/resource.js";
import { place, setQuery } from "../lib/router.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { SelectField, TextField } from "../parts/forms.js";
import { Highlighted } from "../parts/highlighted.js";
import { Empty, ProblemBox, Waiting } from "../parts/notices.js";

const MODES = [["hybrid", "Both"], ["keyword", "Words"], ["vector", "Meaning"]];
const MOST = 20;

export function Search({ route }) {
  const { q = "", mode = "hybrid" } = route.query;
  const [text, setText] = useState(q);
  const [answer, setAnswer] = useState(null);
  const [run, { busy, problem }] = useAct(async (query) => {
    setAnswer(await send("POST", "/api/knowledge-base/search", { query, mode, maxResults: MOST }));
  });
  useEffect(() => {
    if (q) run(q);
    else setAnswer(null);
  }, [q, mode]);
  const ask = (event) => {
    event.preventDefault();
    setQuery({ q: text.trim() });
  };
  return html`<form class="filters" role="search" onSubmit=${ask}>
      <${TextField} label="Question" type="search" maxlength="1000" value=${text} onInput=${setText}
        placeholder="As a caller would ask" />
      <${SelectField} label="Search by" value=${mode} options=${MODES}
        onInput=${(value) => setQuery({ mode: value })} />
      <div class="field"><span class="label" aria-hidden="true"> </span>
        <button class="primary" disabled=${busy}>Search</button></div></form>
    <${ProblemBox} problem=${problem} />
    ${busy && !answer ? html`<${Waiting} what="Searching…" />` : answer && !problem
      ? html`<${Results} answer=${answer} />`
      : !problem && html`<${Empty}
        title="Ask a question">The answer is the passages that an agent would get, best first.<//>`}`;
}

function Results({ answer }) {
  if (answer.results.length === 0) {
    return html`<${Empty} title="Nothing found">Ask with other words, or add a document that has the answer.<//>`;
  }
  const found = count(answer.results.length, "passage");
  const why = answer.fallbackReason ? ` (${words(answer.fallbackReason).toLowerCase()})` : "";
  return html`<p class="small" role="status">
      ${`${found} in ${number(answer.tookMs)} ms, by ${words(answer.mode).toLowerCase()} search${why}.`}</p>
    <ol class="hits">${answer.results.map((hit) => html`<li key=${hit.chunkId}>
      <a href=${place(["knowledge", hit.entryId])}>${hit.title}</a>${" "}
      <span class="small">${[hit.heading, hit.page
        && `page ${number(hit.page)}`, `score ${hit.score.toFixed(2)}`].filter(Boolean).join(" · ")}</span>
      <${Highlighted} text=${hit.text} marks=${hit.highlights} /></li>`)}</ol>`;
}
