// Drives the unmodified JavaScript SDK: one JSON command a line on stdin, one JSON event a line on stdout.
import { createInterface } from 'node:readline';
import { Centrifuge, UnauthorizedError } from 'centrifuge';
import WebSocket from 'ws';
import { EventSource } from 'eventsource';

const clients = new Map();
const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n');
process.on('unhandledRejection', (error) => tell({ on: 'unhandled', message: String(error), cause: String(error.cause ?? '') }));

function observe(name, target, events, about = {}) {
  for (const on of events) {
    target.on(on, (context) => {
      const { data, ...rest } = context;
      tell({ ...JSON.parse(JSON.stringify(rest)), clientId: rest.client, data, ...about, client: name, on });
    });
  }
}

const acts = {
  create({ client, transports, token, tokens, options = {} }) {
    const queue = [...(tokens ?? [])];
    const getToken = tokens && (async () => {
      tell({ client, on: 'getToken' });
      const next = queue.length > 1 ? queue.shift() : queue[0];
      if (next === 'unauthorized') throw new UnauthorizedError('no');
      return next;
    });
    const made = new Centrifuge(transports, { websocket: WebSocket, eventsource: EventSource, fetch, ...(token && { token }), ...(getToken && { getToken }), ...options });
    observe(client, made, ['connecting', 'connected', 'disconnected', 'error', 'message']);
    clients.set(client, made);
  },
  connect: ({ client }) => clients.get(client).connect(),
  disconnect: ({ client }) => clients.get(client).disconnect(),
  subscribe({ client, channel, options = {} }) {
    const of = clients.get(client);
    const existing = of.getSubscription(channel);
    const subscription = existing ?? of.newSubscription(channel, options);
    if (!existing) {
      observe(client, subscription, ['subscribing', 'subscribed', 'unsubscribed', 'publication', 'join', 'leave', 'error'], { channel });
    }
    subscription.subscribe();
  },
  unsubscribe: ({ client, channel }) => clients.get(client).getSubscription(channel).unsubscribe(),
  call: ({ client, method, args }) => clients.get(client)[method](...args),
  callSubscription: ({ client, channel, method, args }) => clients.get(client).getSubscription(channel)[method](...args),
  send: ({ client, data }) => clients.get(client).send(data),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { act, id, ...rest } = JSON.parse(line);
  Promise.resolve()
    .then(() => acts[act](rest))
    .then((result) => tell({ id, result: result ?? null }), (error) => tell({ id, error: { code: error.code ?? 0, message: error.message ?? String(error) } }));
}
