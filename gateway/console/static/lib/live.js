/* The live connection: one socket with the official Centrifugo SDK, opened by the first listener. Owns the token, the
   subscriptions and the state that the header shows. */

import { onSessionResume, send } from "./api.js";
import { useEffect, useLatest, useState, useThrottled } from "./ui.js";

// "off", "connecting", "live" or "failed".
let state = "off";
let opening = null;
const stateListeners = new Set();
const listeners = new Map();
// Told of the organization's channels with each token.
const channelListeners = new Set();
// Subscriptions whose publications reach `listeners`.
const wired = new WeakSet();

// The server's close code for a connection whose rights have changed or ended, and the milliseconds until every server
// knows those of now.
const FORCED = 3503;
const SETTLE_MS = 1500;
const rightsListeners = new Set();

/** `listener` is called after the server has ended the connection because the person's rights changed. Returns its
    removal. */
export function onRightsChange(listener) {
  rightsListeners.add(listener);
  return () => rightsListeners.delete(listener);
}

function setState(next) {
  state = next;
  stateListeners.forEach((listener) => listener(next));
}

// Milliseconds between attempts to open the connection, doubled to the most.
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/** Opens the connection, again and again while the server cannot be reached. A refusal (4xx) is final. */
async function openPatiently(wanted) {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await open();
    } catch (problem) {
      setState("failed");
      const isFinal = problem.status >= 400 && problem.status < 500 && problem.status !== 429;
      if (isFinal || !wanted()) throw problem;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

async function open() {
  await import("../vendor/centrifuge.js");
  const first = await send("POST", "/api/realtime/token");
  const opened = { channels: first.channels };
  // A later token may be of other rights.
  const getToken = async () => {
    const { token, channels } = await send("POST", "/api/realtime/token");
    opened.channels = channels;
    channelListeners.forEach((listener) => listener(channels));
    return token;
  };
  const client = new globalThis.Centrifuge(first.url, { token: first.token, getToken, name: "console" });
  client.on("connecting", () => setState("connecting"));
  client.on("connected", () => setState("live"));
  client.on("disconnected", ({ code }) => {
    setState("failed");
    if (code === FORCED) setTimeout(() => rightsListeners.forEach((listener) => listener()), SETTLE_MS);
  });
  client.connect();
  return Object.assign(opened, { client });
}

/** The client and the organization's channels; opened once, and again after a failure. */
function connection() {
  if (opening === null) {
    setState("connecting");
    const mine = openPatiently(() => opening === mine);
    opening = mine;
    mine.catch(() => {
      if (opening === mine) opening = null;
    });
  }
  return opening;
}

/** Closes the socket, when the session ends. */
export async function disconnect() {
  const last = opening;
  opening = null;
  listeners.clear();
  setState("off");
  if (last) (await last.catch(() => null))?.client.disconnect();
}

/** Closes the socket when the session has ended without a sign-out; who listens stays. */
export function suspend() {
  opening?.then(({ client }) => client.disconnect(), () => undefined);
}

/** Connects anew: the old token names a session that has ended, or rights of before. */
export function reconnect() {
  opening?.then(({ client }) => {
    client.setToken("");
    client.connect();
  }, () => undefined);
}

onSessionResume(reconnect);

/** Listens to a channel until the returned function is called. `tell` receives each event's envelope. `old` asks for
    so many events that the channel had before, oldest first. */
function listen(channel, tell, old) {
  let ended = false;
  connection().then(({ client }) => {
    if (ended) return;
    const subscription = client.getSubscription(channel) ?? client.newSubscription(channel);
    if (!listeners.has(channel)) listeners.set(channel, new Set());
    if (!wired.has(subscription)) {
      wired.add(subscription);
      const tellAll = (event) => listeners.get(channel)?.forEach((listener) => listener(event));
      subscription.on("publication", ({ data }) => tellAll(data));
      subscription.on("subscribed", ({ wasRecovering, recovered }) => {
        if (wasRecovering && !recovered) tellAll(gap(channel));
      });
    }
    listeners.get(channel).add(tell);
    subscription.subscribe();
    if (old) history(subscription, old).then((events) => ended || events.forEach((event) => tell(event)));
  }, () => undefined);
  return () => {
    ended = true;
    listeners.get(channel)?.delete(tell);
    if (listeners.get(channel)?.size === 0) close(channel);
  };
}

/** What listeners hear when the connection was away for longer than events are kept: they read anew. */
function gap(channel) {
  const time = new Date().toISOString();
  return { id: `gap ${channel} ${time}`, type: "console.gap", time, data: {} };
}

async function history(subscription, limit) {
  try {
    await subscription.ready(10_000);
    const { offset, epoch } = await subscription.history({ limit: 0 });
    const since = { offset: Math.max(0, offset - limit), epoch };
    const { publications } = await subscription.history({ limit, since });
    return publications.map(({ data }) => data);
  } catch {
    return []; // A channel without a history.
  }
}

function close(channel) {
  listeners.delete(channel);
  opening?.then(({ client }) => {
    const subscription = client.getSubscription(channel);
    if (!subscription || listeners.has(channel)) return;
    subscription.unsubscribe();
    client.removeSubscription(subscription);
  }, () => undefined);
}

/** Calls `tell` with each event of the channels while the component lives. */
export function useChannels(channels, tell, { old = 0 } = {}) {
  const latest = useLatest(tell);
  const names = channels.join(" ");
  useEffect(() => {
    const ends = channels.filter(Boolean).map((channel) => listen(channel, (event) => latest.current(event), old));
    return () => ends.forEach((end) => end());
  }, [names]);
}

/** The organization's channels that the caller may hear. */
export function useOrganizationChannels() {
  const [channels, setChannels] = useState([]);
  useEffect(() => {
    connection().then((opened) => setChannels(opened.channels), () => undefined);
    channelListeners.add(setChannels);
    return () => channelListeners.delete(setChannels);
  }, []);
  return channels;
}

export function useLiveState() {
  const [known, setKnown] = useState(state);
  useEffect(() => {
    stateListeners.add(setKnown);
    setKnown(state);
    return () => stateListeners.delete(setKnown);
  }, []);
  return known;
}

// Milliseconds after an event until a page reads anew; all events meanwhile count once.
export const REFRESH_MS = 500;

/** Calls `refresh` after events of an area ("calls", "agents", …) of the organization; never where its id is empty. */
export function useRefresh(organizationId, area, refresh) {
  const soon = useThrottled(refresh, REFRESH_MS);
  useChannels([organizationId && `org:${organizationId}:${area}`], soon);
}
