/* Bringing knowledge in: documents with the progress of upload and processing, and texts that are written here. */

import { get, send } from "../lib/api.js";
import { bytes, count, number } from "../lib/format.js";
import { useChannels } from "../lib/live.js";
import { useAct } from "../lib/resource.js";
import { place } from "../lib/router.js";
import { upload } from "../lib/upload.js";
import { html, useEffect, useInterval, useRef, useState } from "../lib/ui.js";
import { Dialog } from "../parts/dialog.js";
import { AreaField, Form, fromCommas, TextField } from "../parts/forms.js";
import { ProblemBox } from "../parts/notices.js";
import { toast } from "../parts/toasts.js";

// The last line is read where recognition of scans is installed.
const ACCEPTED = ".pdf,.docx,.xlsx,.pptx,.odt,.epub,.eml,.txt,.md,.markdown,.html,.htm,.csv,.rtf,"
  + ".png,.jpg,.jpeg,.tiff,.tif";
// Seconds between looks at a document in processing. Its job's channel usually tells earlier.
const LOOK_SECONDS = 2;

export function Upload({ done }) {
  const [files, setFiles] = useState([]);
  const [over, setOver] = useState(false);
  const input = useRef(null);
  const take = (list) => setFiles((known) => [...[...list].map((file) => ({ file,
    key: `${file.name} ${performance.now()}` })), ...known]);
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files);
  };
  const pick = () => {
    take(input.current.files);
    input.current.value = "";
  };
  return html`<section class="drop ${over ? "over" : ""}" aria-label="Upload documents" onDrop=${drop}
      onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}>
    <label class="button" for="documents">Choose documents</label>
    <input ref=${input} id="documents" class="hidden-input" type="file" multiple accept=${ACCEPTED} onChange=${pick} />
    <span class="small">or drop them here. PDF, Word, Excel, PowerPoint, OpenDocument, EPUB, mails, HTML, Markdown, CSV, RTF and
      text, up to 25 MiB each.</span>
    ${files.length > 0 && html`<ul class="uploads">
      ${files.map(({ file, key }) => html`<${OneUpload} key=${key} file=${file} done=${done} />`)}</ul>`}
  </section>`;
}

/** One file on its way: uploading, processing, searchable. */
function OneUpload({ file, done }) {
  const [share, setShare] = useState(0);
  const [taken, setTaken] = useState(null);
  const [status, setStatus] = useState(null);
  const [problem, setProblem] = useState(null);
  const look = () => get(`/api/documents/${taken.documentId}/status`).then(setStatus, setProblem);
  useEffect(() => {
    const controller = new AbortController();
    const form = new FormData();
    form.append("document", file);
    upload("/api/documents/upload", form, setShare, controller.signal).then(
      (answer) => {
        setTaken(answer);
        done();
      },
      (failure) => controller.signal.aborted || setProblem(failure),
    );
    return () => controller.abort();
  }, []);
  const finished = status && status.status !== "processing";
  useInterval(look, LOOK_SECONDS, taken !== null && !finished && !problem);
  useChannels([taken && !finished ? `job:${taken.jobId}` : ""], look);
  useEffect(() => {
    if (finished) done();
  }, [finished]);
  const unread = status?.error && { title: "The document could not be read", detail: status.error.message };
  return html`<li><b>${file.name}</b> <span class="small">${bytes(file.size)} · ${stageOf(share, taken, status)}</span>
    ${!finished && !problem && html`<progress aria-label="Progress of ${file.name}" max="100"
      value=${taken ? (status?.progress ?? 0) : Math.round(share * 100)}></progress>`}
    <${ProblemBox} problem=${problem ?? unread} />
    ${status?.status === "completed" && html` <a href=${place(["knowledge", status.entryId])}>Open</a>`}</li>`;
}

function stageOf(share, taken, status) {
  if (!taken) return share < 1 ? `uploading, ${number(Math.round(share * 100))} %` : "being stored";
  if (!status) return "waiting for a worker";
  if (status.status === "completed") return `searchable, ${count(status.chunks, "passage")}`;
  if (status.status === "failed") return "failed";
  return `being read${status.totalPages ? `, page ${number(status.processedPages)} of ${number(status.totalPages)}`
    : ""}`;
}

export function NewEntry({ done }) {
  const [open, setOpen] = useState(false);
  const [texts, setTexts] = useState({ title: "", content: "", category: "", tags: "" });
  const field = (name) => ({ value: texts[name], pointer: name, problem,
    onInput: (value) => setTexts((known) => ({ ...known, [name]: value })) });
  const [run, { busy, problem }] = useAct(async () => {
    const { title, content, category } = texts;
    await send("POST", "/api/knowledge-base/entries",
      { title, content, ...(category && { category }), tags: fromCommas(texts.tags) });
    setOpen(false);
    setTexts({ title: "", content: "", category: "", tags: "" });
    toast("The text is stored and becomes searchable in a moment.");
    done();
  });
  return html`<button type="button" onClick=${() => setOpen(true)}>Write a text</button>
    ${open && html`<${Dialog} title="Write a text" onClose=${() => setOpen(false)}>
      <${Form} onSubmit=${run} busy=${busy} problem=${problem} submit="Store"
        extra=${html`<button type="button" onClick=${() => setOpen(false)}>Cancel</button>`}>
        <${TextField} label="Title" required maxlength="200" wide ...${field("title")} />
        <${AreaField} label="Text" required rows="8" ...${field("content")} />
        <${TextField} label="Category" maxlength="100" ...${field("category")} />
        <${TextField} label="Tags" hint="Separated by commas." ...${field("tags")} />
      <//><//>`}`;
}
