/* The draft of an agent as a form. It sends what changed, under the version that was read: a change by another person
   meanwhile is refused, not overwritten. */

import { Problem, send } from "../lib/api.js";
import { providerName } from "../lib/format.js";
import { useAct } from "../lib/resource.js";
import { useMay } from "../lib/session.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { AreaField, Form, fromCommas, SelectField, TextField, toCommas } from "../parts/forms.js";
import { toast } from "../parts/toasts.js";

const PROVIDERS = ["elevenlabs", "retell", "vapi", "bland"];

/** The agent as texts of the form's fields. */
function textsOf(agent) {
  const { llm } = agent;
  return {
    name: agent.name, description: agent.description ?? "", tags: toCommas(agent.tags),
    systemPrompt: agent.systemPrompt ?? "", firstMessage: agent.firstMessage ?? "", language: agent.language ?? "",
    voiceId: agent.voiceId ?? "", model: llm?.model ?? "", temperature: String(llm?.temperature ?? ""),
    maxTokens: String(llm?.maxTokens ?? ""), maxDurationSeconds: String(agent.maxDurationSeconds ?? ""),
    provider: agent.provider ?? "", externalAgentId: agent.externalAgentId ?? "",
    variables: JSON.stringify(agent.dynamicVariables ?? {}, null, 2),
  };
}

/** The merge patch that makes the agent as the texts say; an empty text clears. */
function patchOf(before, after, variables) {
  const text = (name) => after[name] || null;
  const value = (name) => (after[name] === "" ? null : Number(after[name]));
  const makers = {
    name: () => ({ name: after.name }), description: () => ({ description: text("description") }),
    tags: () => ({ tags: fromCommas(after.tags) }), systemPrompt: () => ({ systemPrompt: text("systemPrompt") }),
    firstMessage: () => ({ firstMessage: text("firstMessage") }), language: () => ({ language: text("language") }),
    voiceId: () => ({ voiceId: text("voiceId") }), provider: () => ({ provider: text("provider") }),
    externalAgentId: () => ({ externalAgentId: text("externalAgentId") }),
    maxDurationSeconds: () => ({ maxDurationSeconds: value("maxDurationSeconds") }),
    variables: () => ({ dynamicVariables: { ...nulls(JSON.parse(before.variables)), ...variables } }),
  };
  const patch = {};
  for (const name of Object.keys(makers)) if (after[name] !== before[name]) Object.assign(patch, makers[name]());
  const llm = {};
  if (after.model !== before.model) llm.model = text("model");
  if (after.temperature !== before.temperature) llm.temperature = value("temperature");
  if (after.maxTokens !== before.maxTokens) llm.maxTokens = value("maxTokens");
  return Object.keys(llm).length ? { ...patch, llm } : patch;
}

/** Variables are merged by name, so one that was taken out is sent as null. */
const nulls = (variables) => Object.fromEntries(Object.keys(variables).map((name) => [name, null]));

function parsed(text) {
  try {
    const value = JSON.parse(text || "{}");
    if (value && typeof value === "object" && !Array.isArray(value)) return value;
  } catch {
    // Said below, in the words of the form.
  }
  const errors = [{ pointer: "#/dynamicVariables", detail: 'Write a JSON object, such as {"city": "Berlin"}.' }];
  throw new Problem({ status: 422, title: "The variables are no JSON object", errors });
}

export function Draft({ agent, replace, reload }) {
  const may = useMay();
  const [before] = useState(() => textsOf(agent));
  const [texts, setTexts] = useState(before);
  const dirty = Object.keys(texts).some((name) => texts[name] !== before[name]);
  useWarning(dirty);
  const [run, { busy, problem }] = useAct(async () => {
    const patch = patchOf(before, texts, parsed(texts.variables));
    const saved = await send("PATCH", `/api/agents/${agent.id}`, patch, { version: agent.version });
    toast("The draft is saved.");
    replace(saved);
  });
  const field = (name, pointer = name) => ({
    value: texts[name], pointer, problem, onInput: (value) => setTexts((known) => ({ ...known, [name]: value })),
  });
  const again = problem?.status === 412
    && html`<button type="button" onClick=${reload}>Read the newer agent, and lose these changes</button>`;
  return html`<${Form} onSubmit=${run} busy=${busy} ready=${dirty} problem=${problem} locked=${!may("agents:write", agent.id)}
    submit=${dirty ? "Save the draft" : "Saved"} extra=${again}>
    <${TextField} label="Name" required maxlength="200" ...${field("name")} />
    <${TextField} label="Tags" hint="Separated by commas." ...${field("tags")} />
    <${AreaField} label="Description" rows="2" maxlength="2000" ...${field("description")} />
    <${AreaField} label="System prompt" rows="12" class="prompt" ...${field("systemPrompt")} />
    <${AreaField} label="First message" rows="2" ...${field("firstMessage")} />
    <${TextField} label="Language" hint="BCP 47, such as en or pt-BR." ...${field("language")} />
    <${TextField} label="Voice id" ...${field("voiceId")} />
    <${TextField} label="Language model" ...${field("model", "llm/model")} />
    <${TextField} label="Temperature" type="number" min="0" max="2" step="any"
      ...${field("temperature", "llm/temperature")} />
    <${TextField} label="Most tokens an answer" type="number" min="1" step="1"
      ...${field("maxTokens", "llm/maxTokens")} />
    <${TextField} label="Longest call, in seconds" type="number" min="10" step="1" hint="Empty: the provider's limit."
      ...${field("maxDurationSeconds")} />
    <${SelectField} label="Provider" options=${[["", "None"], ...PROVIDERS.map((name) => [name, providerName(name)])]}
      ...${field("provider")} />
    <${TextField} label="Agent id at the provider" hint="Ties calls that the provider reports to this agent."
      ...${field("externalAgentId")} />
    <${AreaField} label="Variables" rows="4" class="code" hint="A JSON object of names and values."
      ...${field("variables", "dynamicVariables")} />
  <//>`;
}

/** The browser asks before the tab closes on changes that were not saved. */
function useWarning(dirty) {
  useEffect(() => {
    if (!dirty) return undefined;
    const ask = (event) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [dirty]);
}
