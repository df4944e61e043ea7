// BullMQ's side: `node bench.mjs work|produce …`. A worker whose processor does nothing, producers that add one by one
// or in bulk; both tell what they did as one JSON line. Options are BullMQ's own defaults and the paper's job options.
import { Queue, Worker } from 'bullmq';
import { parseArgs } from 'node:util';

const { positionals, values: o } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    queue: { type: 'string', default: 'bench' },
    count: { type: 'string', default: '0' },
    concurrency: { type: 'string', default: '8' },
    'per-commit': { type: 'string', default: '1' },
    producers: { type: 'string', default: '16' },
    rate: { type: 'string', default: '0' },
    delay: { type: 'string', default: '0' },
  },
});
const connection = { host: '127.0.0.1', port: Number(o.port), maxRetriesPerRequest: null };
const count = Number(o.count);
const say = (values) => new Promise((said) => process.stdout.write(JSON.stringify(values) + '\n', said));
let before;
const cpu = () => { const used = process.cpuUsage(before); return (used.user + used.system) / 1e6; };
const now = () => (performance.timeOrigin + performance.now()) / 1000;
const sleep = (seconds) => new Promise((wake) => setTimeout(wake, Math.max(0, seconds * 1000)));

async function work() {
  let completed = 0;
  const lateness = [];
  const worker = new Worker(o.queue, async (job) => { lateness.push(now() - job.data.at); },
    { connection, concurrency: Number(o.concurrency) });
  await worker.waitUntilReady();
  await say({ ready: true });
  before = process.cpuUsage();
  await new Promise((done) => worker.on('completed', () => { if (++completed === count) done(); }));
  await say({ ended_at: now(), cpu: cpu(), lateness });
  await worker.close();
}

async function produce() {
  const perCommit = Number(o['per-commit']), rate = Number(o.rate), delay = Number(o.delay);
  const queue = new Queue(o.queue, {
    connection,
    defaultJobOptions: { attempts: 3, backoff: { type: 'exponential', delay: 1000 }, removeOnComplete: 100, removeOnFail: 500 },
  });
  await queue.waitUntilReady();
  before = process.cpuUsage();
  const begunAt = now(), due = begunAt + delay;
  let next = 0;
  async function one() {
    while (next < count) {
      const number = next;
      next += perCommit;
      if (rate) await sleep(begunAt + number / rate - now());
      const data = { at: delay ? due : now() };
      const options = delay ? { delay: Math.max(0, Math.round((due - now()) * 1000)) } : {};
      if (perCommit === 1) await queue.add('nothing', data, options);
      else await queue.addBulk(Array.from({ length: perCommit }, () => ({ name: 'nothing', data, opts: options })));
    }
  }
  await Promise.all(Array.from({ length: Number(o.producers) }, one));
  await say({ begun_at: begunAt, ended_at: now(), cpu: cpu() });
  await queue.close();
}

await (positionals[0] === 'work' ? work() : produce());
process.exit(0);
