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
  const { connections, pool } = data;
  return html`<ul class="numbers">
      <${Figure} name="Suite" value=${words(data.status)} more=${`This gateway runs for ${duration(data.uptime)}`} />
      ${Object.entries(connections).map(([name, value]) => html`<${Figure} key=${name} name=${words(name)} value=${words(value)} more="As the services reach it" />`)}
      ${Object.entries(pool).map(([name, value]) => html`<${Figure} key=${name} name="Database pool" value=${number(value)} more=${words(name)} />`)}</ul>
    <p class="small">Charts of latency, caches and memory are on the operations port, which only operators reach.</p>`;
}
