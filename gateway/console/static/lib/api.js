/* Requests to the API with the session cookie. Owns problems, idempotency keys, the end of a session, and the customer
   that an agency acts in; it knows no resource. Every call has a deadline. */

import { ACTING } from "./router.js";

// Longer than any budget of the server, so that its own answer (504 with a request id) arrives first.
const DEADLINE_MS = 20_000;
// The largest document over a slow line.
const DOWNLOAD_MS = 300_000;

/** A refusal as the API describes it (RFC 9457), or a failure to reach it (status 0). */
export class Problem extends Error {
  constructor(document) {
    super(document.detail || document.title);
    this.status = document.status;
    this.title = document.title;
    this.detail = document.detail || "";
    this.code = document.code || "";
    this.requestId = document.requestId || "";
    this.errors = document.errors || [];
    this.document = document;
  }
}

// Their 401 says that what was entered is wrong, not that a session has ended.
const SIGN_IN = new Set(["/api/login", "/api/login/second-factor", "/api/login/openid/complete"]);
const endListeners = new Set();
const resumeListeners = new Set();

/** `listener` is called when the API says that the session has ended. Returns the function that removes it. */
export function onSessionEnd(listener) {
  endListeners.add(listener);
  return () => endListeners.delete(listener);
}

/** `listener` is called when a person has signed in again after the session had ended. Returns its removal. */
export function onSessionResume(listener) {
  resumeListeners.add(listener);
  return () => resumeListeners.delete(listener);
}

export function tellSessionResumed() {
  resumeListeners.forEach((listener) => listener());
}

/** 128 random bits in hexadecimal. (crypto.randomUUID exists in secure contexts alone.) */
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The path with the parameters that have a value. */
export function withQuery(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

// What belongs to the person and not to an organization in which the person acts.
const OWN = /^\/api\/(login|logout|me\/|auth\/(?!user$))/;

/** The header that names the customer in which a request acts; none for the own organization. */
export const actingHeader = (path, organization = ACTING) => (organization && !OWN.test(path)
  ? { "X-Organization-Id": organization } : {});

/** The answer's JSON; null for an empty one. Throws Problem. `aborted` ends the request early. `organization` is a
    customer to read in place of the one that the page acts in. */
export function get(path, query, aborted, organization = ACTING) {
  return exchange("GET", withQuery(path, query), { aborted, organization });
}

/** The bytes of a download as a Blob. */
export async function getBlob(path) {
  const signal = AbortSignal.timeout(DOWNLOAD_MS);
  const headers = actingHeader(path);
  const response = await fetch(path, { headers, signal, credentials: "same-origin" }).catch(() => {
    throw unreachable(signal.aborted);
  });
  if (response.ok) return response.blob();
  throw refused(response.status, await response.text(), response.headers.get("X-Request-Id"), path);
}

/** A write. It carries one Idempotency-Key, so the repetition after a lost connection changes nothing twice.
    `version` is the version that the resource must still have (If-Match).
    @param {string} method @param {string} path @param {object} [body]
    @param {{version?: number, key?: string}} [options] @returns {Promise<any>} */
export async function send(method, path, body, { version, key = freshKey() } = {}) {
  const headers = /** @type {Record<string, string>} */ ({ "Idempotency-Key": key });
  const kind = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  if (body !== undefined) headers["Content-Type"] = kind;
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const options = { headers, body: body === undefined ? undefined : JSON.stringify(body) };
  try {
    return await exchange(method, path, options);
  } catch (problem) {
    if (problem.status !== 0) throw problem;
    return exchange(method, path, options);
  }
}

/** @param {string} method @param {string} path
    @param {{headers?: Record<string, string>, body?: string, aborted?: AbortSignal, organization?: string}} options */
async function exchange(method, path, { headers: given, body, aborted, organization }) {
  const headers = { ...given, ...actingHeader(path, organization) };
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const signal = aborted ? AbortSignal.any([aborted, deadline]) : deadline;
  let response, text;
  try {
    response = await fetch(path, { method, headers, body, signal, credentials: "same-origin", redirect: "error" });
    text = await response.text();
  } catch (failure) {
    if (aborted?.aborted) throw failure;
    throw unreachable(deadline.aborted);
  }
  if (response.ok) return text ? JSON.parse(text) : null;
  throw refused(response.status, text, response.headers.get("X-Request-Id"), path);
}

/** The Problem of a refusal. An ended session is told to its listeners too. */
export function refused(status, text, requestId, path) {
  if (status === 401 && !SIGN_IN.has(path)) endListeners.forEach((listener) => listener());
  try {
    return new Problem(JSON.parse(text));
  } catch {
    return new Problem({ status, title: `The server answered ${status}`, requestId });
  }
}

/** The Problem of a request without an answer. */
export function unreachable(late) {
  const detail = late ? "It did not answer in time." : "Check the connection, then try again.";
  return new Problem({ status: 0, title: "The server cannot be reached", detail });
}
