// WebSocket test: SOCKETS connections (500, the paper's instance) listen to their organization's agents while one agent
// is changed once a second; every connection must hear of every change. Times are from the change to this process, which
// reads 500 sockets by itself: bench/load/listener.py measures the suite's share.
import http from 'k6/http';
import { WebSocket } from 'k6/experimental/websockets';
import exec from 'k6/execution';
import { sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { cleanUp, prepare, seconds, summaryTrendStats, writeSummary } from './common.js';

const url = __ENV.BASE_URL;
const headers = { Authorization: `Bearer ${__ENV.API_KEY}`, 'Content-Type': 'application/json' };
const sockets = Number(__ENV.SOCKETS || 500);
const changes = Math.max(5, Math.round(60 * Number(__ENV.DURATION_FACTOR || 1)));
// Connections arrive over this time: a flood at one instant is another test.
const arrival = Math.ceil(sockets / 100);
const settle = arrival + 3 + Math.ceil(sockets / 50);
const lifetime = (settle + changes + 3) * 1000;

const connected = new Counter('sockets_connected');
const dropped = new Counter('sockets_dropped');
const heard = new Counter('messages_heard');
const sent = new Counter('messages_sent');
const delay = new Trend('delivery_delay', true);

export const options = {
  summaryTrendStats,
  scenarios: {
    listeners: { executor: 'per-vu-iterations', vus: sockets, iterations: 1, maxDuration: '10m', exec: 'listen' },
    writer: { executor: 'per-vu-iterations', vus: 1, iterations: 1, startTime: `${settle}s`, maxDuration: '10m', exec: 'write' },
  },
};

export const setup = () => {
  const token = http.post(`${url}/api/realtime/token`, '{}', { headers });
  if (token.status !== 200) throw new Error(`no token: ${token.status} ${token.body}`);
  return { ...prepare(), ...token.json() };
};
export const teardown = cleanUp;

export function listen(data) {
  sleep((exec.vu.idInTest / sockets) * arrival);
  const channel = data.channels.find((name) => name.endsWith(':agents'));
  const socket = new WebSocket(data.url);
  let open = false;
  let ending = false;
  socket.onopen = () => socket.send(JSON.stringify({ id: 1, connect: { token: data.token } }));
  socket.onmessage = (message) => {
    const now = Date.now();
    for (const line of message.data.split('\n')) {
      if (!line) continue;
      const reply = JSON.parse(line);
      if (reply.id === 1 && reply.connect) socket.send(JSON.stringify({ id: 2, subscribe: { channel } }));
      else if (reply.id === 2 && reply.subscribe) { open = true; connected.add(1); }
      else if (Object.keys(reply).length === 0) socket.send('{}');
      else if (reply.push && reply.push.pub && reply.push.pub.data.type === 'agent.updated') {
        heard.add(1);
        delay.add(Math.max(0, now - Date.parse(reply.push.pub.data.time)));
      }
    }
  };
  socket.onclose = () => { if (open && !ending) dropped.add(1); };
  setTimeout(() => { ending = true; socket.close(); }, lifetime);
}

export function write(data) {
  for (let n = 0; n < changes; n += 1) {
    const answer = http.patch(`${url}/api/agents/${data.agentId}`, JSON.stringify({ description: `change ${n} ${Date.now()}` }), { headers });
    if (answer.status === 200) sent.add(1);
    sleep(1);
  }
}
export const handleSummary = writeSummary;
