// The monolith: `node server.mjs serve …` takes webhooks (Express), stores calls (pg), rates them in a job (BullMQ) and
// tells both (Socket.IO), in one process. `node server.mjs listen …` hears what it tells. Both say JSON lines.
import express from 'express';
import pg from 'pg';
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Queue, Worker } from 'bullmq';
import { Server } from 'socket.io';
import { io as connect } from 'socket.io-client';

const { positionals, values: o } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' }, database: { type: 'string' }, redis: { type: 'string' }, calls: { type: 'string' },
  },
});
const say = (values) => process.stdout.write(JSON.stringify(values) + '\n');
// Micro-units of money for a second of a call: the suite's default plan.
const MICROS_A_SECOND = 100_000 / 60;

async function inTransaction(pool, act) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await act(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

function proven(header, secret, body) {
  const parts = Object.fromEntries(String(header).split(',').map((part) => part.split('=')));
  const mine = createHmac('sha256', secret).update(`${parts.t}.`).update(body).digest();
  const theirs = Buffer.from(parts.v0 ?? '', 'hex');
  return mine.length === theirs.length && timingSafeEqual(mine, theirs) && Math.abs(Date.now() / 1000 - parts.t) < 1800;
}

async function store(pool, org, agent, body, data) {
  const call = randomUUID(), { metadata, analysis, transcript } = data, phone = metadata.phone_call ?? {};
  const started = new Date(metadata.start_time_unix_secs * 1000);
  const ended = new Date(started.getTime() + metadata.call_duration_secs * 1000);
  const made = await inTransaction(pool, async (client) => {
    const kept = await client.query({
      name: 'envelope', text: 'insert into envelope (org_id, key, body) values ($1, $2, $3) on conflict do nothing',
      values: [org, data.conversation_id, body] });
    if (kept.rowCount === 0) return false;
    const words = transcript.map((turn) => turn.message).join(' ');
    await client.query({
      name: 'call',
      text: `insert into call (id, org_id, external_id, agent_id, agent_version, status, direction, from_number, to_number,
        successful, duration_seconds, started_at, ended_at, title, summary, language, termination_reason, cost_units,
        document) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        setweight(to_tsvector('simple', $14), 'A') || setweight(to_tsvector('simple', $15), 'B')
        || to_tsvector('english', $19))`,
      values: [call, org, data.conversation_id, agent?.id ?? null, agent?.version ?? 0, 'completed', phone.direction,
        phone.external_number, phone.agent_number, analysis.call_successful === 'success', metadata.call_duration_secs,
        started, ended, analysis.call_summary_title, analysis.transcript_summary, metadata.main_language,
        metadata.termination_reason, metadata.cost, words] });
    await client.query({
      name: 'turns',
      text: `insert into turn (call_id, index, role, text, time_seconds)
        select $1, * from unnest($2::int[], $3::text[], $4::text[], $5::float8[])`,
      values: [call, transcript.map((_, index) => index), transcript.map((turn) => turn.role),
        transcript.map((turn) => turn.message), transcript.map((turn) => turn.time_in_call_secs)] });
    await client.query({
      name: 'facets',
      text: "insert into facet (org_id, kind, value, call_id) select $1, 'number', v, $2 from unnest($3::text[]) v",
      values: [org, call, [phone.external_number, phone.agent_number].filter(Boolean)] });
    return true;
  });
  return made ? { id: call, seconds: metadata.call_duration_secs, started, ended, agent: agent?.id ?? '' } : null;
}

async function rate(pool, org, call) {
  const amount = Math.round(call.seconds * MICROS_A_SECOND), usage = `ue_${call.id}`, transaction = randomUUID();
  return inTransaction(pool, async (client) => {
    const account = await client.query({
      name: 'account', text: 'select balance_micros from account where org_id = $1 for update', values: [org] });
    const added = await client.query({
      name: 'usage',
      text: `insert into usage_event (id, org_id, meter, quantity, event_time, call_id)
        values ($1, $2, 'call_seconds', $3, $4, $5) on conflict do nothing`,
      values: [usage, org, Math.round(call.seconds * 1e6), call.ended, call.id] });
    if (added.rowCount === 0) return null;
    const balance = Number(account.rows[0].balance_micros) - amount;
    await client.query({
      name: 'transaction', text: 'insert into ledger_transaction (id, org_id, key) values ($1, $2, $3)',
      values: [transaction, org, `usage:${usage}`] });
    await client.query({
      name: 'legs',
      text: `insert into ledger_entry (id, org_id, transaction_id, account, amount_micros, balance_after_micros, call_id)
        values ($1, $2, $3, 'customer', $4, $5, $6), ($7, $2, $3, 'revenue', $8, null, $6)`,
      values: [randomUUID(), org, transaction, -amount, balance, call.id, randomUUID(), amount] });
    await client.query({
      name: 'rating', text: 'insert into usage_rating (usage_event_id, amount_micros, transaction_id) values ($1, $2, $3)',
      values: [usage, amount, transaction] });
    await client.query({
      name: 'balance', text: 'update account set balance_micros = $2 where org_id = $1', values: [org, balance] });
    await client.query({
      name: 'cost', text: 'update call set cost_micros = $2, updated_at = now() where id = $1', values: [call.id, amount] });
    await client.query({
      name: 'rollup',
      text: `insert into rollup as r select $1, p, date_trunc(p, $2::timestamptz), $3, 1, 1, $4, $5
        from unnest(array['hour', 'day']) p on conflict (org_id, period, bucket, agent_id) do update
        set calls = r.calls + 1, successful = r.successful + 1, seconds = r.seconds + $4, cost_micros = r.cost_micros + $5`,
      values: [org, call.started, call.agent, call.seconds, amount] });
    return { callId: call.id, amountMicros: amount };
  });
}

async function serve() {
  const pool = new pg.Pool({ connectionString: o.database, max: 20 });
  const { hostname, port, password } = new URL(o.redis);
  const connection = { host: hostname, port: Number(port), password: password || undefined, maxRetriesPerRequest: null };
  const app = express(), server = createServer(app), io = new Server(server);
  io.on('connection', (socket) => socket.join(socket.handshake.auth.org));
  const jobs = new Queue('calls', { connection, defaultJobOptions: { attempts: 3, removeOnComplete: 100, removeOnFail: 500 } });
  const worker = new Worker('calls', async ({ data }) => {
    const usage = await rate(pool, data.org, data.call);
    if (usage) io.to(data.org).emit('usage.recorded', usage);
  }, { connection, concurrency: 8 });
  await Promise.all([jobs.waitUntilReady(), worker.waitUntilReady()]);
  app.post('/webhooks/:token', express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
    const found = await pool.query({
      name: 'integration', text: 'select org_id, secret from integration where token = $1', values: [request.params.token] });
    const account = found.rows[0];
    if (!account || !proven(request.get('elevenlabs-signature'), account.secret, request.body)) return response.sendStatus(401);
    const { data } = JSON.parse(request.body);
    const agents = await pool.query({
      name: 'agent', text: 'select id, version from agent where org_id = $1 and external_id = $2',
      values: [account.org_id, data.agent_id] });
    const call = await store(pool, account.org_id, agents.rows[0], request.body, data);
    if (call) {
      await jobs.add('rate', { org: account.org_id, call });
      io.to(account.org_id).emit('call.ended', { callId: call.id, externalCallId: data.conversation_id });
    }
    response.json({ received: true });
  });
  server.keepAliveTimeout = 75_000;  // as the suite; Node's 5 s may end a connection in the moment of its next request
  server.listen(Number(o.port), '127.0.0.1', () => say({ ready: true }));
}

function listen() {
  const ended = {}, wanted = Number(o.calls);
  let rated = 0;
  const socket = connect(`http://127.0.0.1:${o.port}`, { auth: { org: 'org_1' }, transports: ['websocket'] });
  const check = () => {
    if (rated === wanted && Object.keys(ended).length === wanted) { say({ ended }); socket.close(); }
  };
  socket.on('connect', () => say({ ready: true }));
  socket.on('call.ended', (event) => { ended[event.externalCallId] = Date.now() / 1000; check(); });
  socket.on('usage.recorded', () => { rated += 1; check(); });
}

await (positionals[0] === 'serve' ? serve() : listen());
