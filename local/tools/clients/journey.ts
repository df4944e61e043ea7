// The journey with the types that openapi-typescript makes: `node journey.js URL KEY DOCUMENT`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { paths } from "./api";

const [url, key, document] = process.argv.slice(2) as [string, string, string];
const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

function got<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert.ok(answer.data !== undefined, `${answer.response.url}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const agent = got(await api.POST("/api/agents", { body: { name: "Front desk", systemPrompt: "You are helpful." } }));
const here = { params: { path: { id: agent.id } } };
assert.equal(got(await api.PATCH("/api/agents/{id}", { ...here, body: { firstMessage: "Hello." } })).firstMessage, "Hello.");
assert.equal(got(await api.POST("/api/agents/{id}/publish", { ...here, body: {} })).version, 1);
const agents = got(await api.GET("/api/agents", { params: { query: { limit: 1, sort: "createdAt", order: "desc" } } }));
assert.deepEqual(agents.data.map((row) => row.id), [agent.id]);

const form = new FormData();
form.append("document", new Blob([await readFile(document)]), "americas.pdf");
const upload = got(
  await api.POST("/api/documents/upload", { body: { document: "" }, bodySerializer: () => form }),
);
const documentPath = { params: { path: { id: upload.documentId } } };
for (let look = 0; look < 600; look++) {
  const { status, error } = got(await api.GET("/api/documents/{id}/status", documentPath));
  assert.notEqual(status, "failed", JSON.stringify(error));
  if (status === "completed") break;
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const found = got(await api.POST("/api/knowledge-base/search", { body: { query: "Where do the Americas lie?" } }));
assert.ok(found.results.length > 0);

const paid = got(
  await api.POST("/api/billing/top-ups", {
    body: { amount: "10.00", currency: "USD" },
    params: { header: { "Idempotency-Key": upload.documentId } },
  }),
);
assert.equal(got(await api.GET("/api/billing/balance")).posted, paid.balance.posted);
assert.ok(got(await api.POST("/api/realtime/token", {})).channels.length > 0);
