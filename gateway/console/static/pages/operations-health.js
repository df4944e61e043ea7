/* Whether the suite serves: what the public health route says, again and again. */

import { duration, number, words } from "../lib/format.js";
import { useResource } from "../lib/resource.js";
import { html, useInterval } from "../lib/ui.js";
import { ProblemBox, Waiting } from "../parts/notices.js";
import { Figure } from "./overview.js";

const LOOK_SECONDS = 5;

export function Health() {
  const { data, problem, reload } = useResource("/health");
  useInterval(reload, LOOK_SECONDS);
  if (problem) return html`<${ProblemBox} problem=${problem} again=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  const connections = Object.entries(data.connections);
  const pool = Object.entries(data.pool);
  return html`<ul class="numbers">
      <${Figure} name="Suite" value=${words(data.status)} more="This gateway runs for ${duration(data.uptime)}" />
      ${connections.map(([name, state]) => html`
        <${Figure} key=${name} name=${words(name)} value=${words(state)} more="As the services reach it" />`)}
      ${pool.map(([name, size]) => html`
        <${Figure} key=${name} name="Database pool" value=${number(size)} more=${words(name)} />`)}</ul>
    <p class="small">Charts of latency, caches and memory are on the operations port, which only operators reach.</p>`;
}
