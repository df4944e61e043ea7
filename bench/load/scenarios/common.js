// What every scenario shares: the suite's address and key from the environment, one user's mix of requests, the summary.
import http from 'k6/http';
import { check } from 'k6';
import { Counter } from 'k6/metrics';

const url = __ENV.BASE_URL;
const headers = { Authorization: `Bearer ${__ENV.API_KEY}`, 'Content-Type': 'application/json' };
// A scenario can be shortened (DURATION_FACTOR=0.1); the paper's durations are the default.
const factor = Number(__ENV.DURATION_FACTOR || 1);

// Answers that tell the client to come back later: what a suite under more load than it can take may say.
export const refused = new Counter('refused');
export const broken = new Counter('broken');

export const seconds = (wanted) => `${Math.max(2, Math.round(wanted * factor))}s`;

// k6 shows no trend value that is not named here.
export const summaryTrendStats = ['avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max', 'count'];

export function prepare() {
  const made = http.post(`${url}/api/agents`, JSON.stringify({ name: `Load ${Date.now()}`, systemPrompt: 'You are helpful.' }), { headers });
  if (made.status !== 201) throw new Error(`no agent could be made: ${made.status} ${made.body}`);
  return { agentId: made.json('id') };
}

export function cleanUp(data) {
  http.del(`${url}/api/agents/${data.agentId}`, null, { headers });
}

// One request of a console's user: eight of ten read lists, one reads a single thing, one writes.
export function oneRequest(data) {
  const dice = Math.random();
  let answer;
  if (dice < 0.3) answer = http.get(`${url}/api/agents?page=1&limit=50`, { headers, tags: { name: 'agents' } });
  else if (dice < 0.55) answer = http.get(`${url}/api/call-logs?page=1&limit=100`, { headers, tags: { name: 'call-logs' } });
  else if (dice < 0.7) answer = http.get(`${url}/api/knowledge-base/entries?page=1&limit=50`, { headers, tags: { name: 'entries' } });
  else if (dice < 0.8) answer = http.get(`${url}/api/organization`, { headers, tags: { name: 'organization' } });
  else if (dice < 0.9) answer = http.get(`${url}/api/agents/${data.agentId}`, { headers, tags: { name: 'agent' } });
  else answer = http.patch(`${url}/api/agents/${data.agentId}`, JSON.stringify({ description: `seen ${Date.now()}` }), { headers, tags: { name: 'patch' } });
  const later = (answer.status === 429 || answer.status === 503) && answer.headers['Retry-After'] !== undefined;
  if (later) refused.add(1);
  else if (answer.status >= 400 || answer.status === 0) broken.add(1);
  check(answer, { 'answered 2xx': (a) => a.status >= 200 && a.status < 300 });
  return answer;
}

export const writeSummary = (data) => ({ [__ENV.SUMMARY]: JSON.stringify(data) });
