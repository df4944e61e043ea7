/* The forms of /docs: one for each operation that is opened. No library; requests go to this origin alone. */
"use strict";

const key = document.getElementById("key");
document.getElementById("credential").addEventListener("submit", (event) => event.preventDefault());
let description;

document.addEventListener("toggle", (event) => {
  const place = event.target.open && event.target.querySelector(":scope > .try:empty");
  if (place) fill(place).catch(() => place.append("The form could not be made: /openapi.json did not answer."));
}, true);
addEventListener("hashchange", open);
open();

/* What a link names is shown, also when it is folded. */
function open() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

async function fill(place) {
  const { method, path } = place.dataset;
  description ??= fetch("/openapi.json").then((response) => response.json());
  const operation = (await description).paths[path][method.toLowerCase()];
  if (place.childElementCount) return;
  place.append(form(method, path, operation));
}

function form(method, path, operation) {
  const made = make("form", { className: "request" });
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const id = `${operation.operationId}-${parameter.in}-${parameter.name}`;
    const input = make("input", { id, required: parameter.required, placeholder: parameter.schema.enum?.join(" | ") ?? "" });
    made.append(make("label", { htmlFor: id, textContent: `${parameter.name} (${parameter.in})` }), input);
    return { parameter, input };
  });
  const [kind, media] = Object.entries(operation.requestBody?.content ?? {}).pop() ?? [];
  const body = kind && bodyField(made, operation.operationId, kind, media);
  const send = make("button", { textContent: "Send", type: "submit" });
  const output = make("pre", { tabIndex: 0, hidden: true });
  output.setAttribute("role", "status");
  made.append(send, output);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    output.hidden = false;
    output.textContent = "…";
    try {
      output.textContent = await ask(method, path, inputs, kind, body);
    } catch (failure) {
      output.textContent = `The request was not answered: ${failure.message}`;
    }
    send.disabled = false;
  });
  return made;
}

function bodyField(made, name, kind, media) {
  const id = `${name}-body`;
  if (kind === "multipart/form-data") {
    const input = make("input", { id, type: "file", required: true });
    made.append(make("label", { htmlFor: id, textContent: "document (file)" }), input);
    return () => {
      const data = new FormData();
      data.set("document", input.files[0]);
      return data;
    };
  }
  const input = make("textarea", { id, spellcheck: false, value: JSON.stringify(media.example ?? {}, null, 2) });
  made.append(make("label", { htmlFor: id, textContent: `Body (${kind})` }), input);
  return () => input.value;
}

async function ask(method, path, inputs, kind, body) {
  const headers = new Headers(key.value ? { Authorization: `Bearer ${key.value.trim()}` } : {});
  const query = new URLSearchParams();
  let address = path;
  for (const { parameter, input } of inputs) {
    if (!input.value) continue;
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    if (parameter.in === "query") query.append(parameter.name, input.value);
    if (parameter.in === "header") headers.set(parameter.name, input.value);
  }
  if (kind && kind !== "multipart/form-data") headers.set("Content-Type", kind);
  const started = performance.now();
  const response = await fetch(address + (query.size ? `?${query}` : ""), {
    method, headers, body: body?.(), credentials: key.value ? "omit" : "same-origin", redirect: "error",
  });
  const text = await response.text();
  const spent = Math.round(performance.now() - started);
  const fields = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return `${response.status} in ${spent} ms\n${fields}\n\n${pretty(text)}`;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function make(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
