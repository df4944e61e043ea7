/* One file to the API with progress, which fetch does not report: XMLHttpRequest. */

import { actingHeader, freshKey, refused, unreachable } from "./api.js";

/** Sends the form; `progress` hears a share from 0 to 1. Resolves to the answer's JSON, rejects with a Problem.
    `signal` ends it early. */
export function upload(path, form, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    const headers = { "Idempotency-Key": freshKey(), ...actingHeader(path) };
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.onprogress = ({ lengthComputable, loaded, total }) => lengthComputable && progress(loaded / total);
    request.onload = () => {
      const { status, responseText } = request;
      if (status >= 200 && status < 300) resolve(JSON.parse(responseText));
      else reject(refused(status, responseText, request.getResponseHeader("X-Request-Id"), path));
    };
    request.onerror = () => reject(unreachable(false));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
