/* What works in the background: jobs, queues, dead letters, dead events, schedules. The API shows an organization its
   own; operators have charts and the whole suite on the operations port, which is not public. */

import { html } from "../lib/ui.js";
import { Head, Tabs } from "../parts/tabs.js";
import { DeadEvents, DeadLetters } from "./operations-dead.js";
import { Health } from "./operations-health.js";
import { Mail } from "./operations-mail.js";
import { Jobs, Queues, Schedules } from "./operations-jobs.js";

const TABS = [["jobs", "Jobs"], ["queues", "Queues"], ["dead-letters", "Dead letters"],
  ["dead-events", "Dead events"], ["schedules", "Schedules"], ["mail", "Mail"], ["health", "Health"]];
const PAGES = { jobs: Jobs, queues: Queues, "dead-letters": DeadLetters, "dead-events": DeadEvents,
  schedules: Schedules, mail: Mail, health: Health };

export function Operations({ route, tab = "jobs" }) {
  const Page = PAGES[tab] ?? Jobs;
  return html`<${Head} title="Operations" />
    <${Tabs} base=${["operations"]} tabs=${TABS} current=${tab} label="Parts of operations" />
    <${Page} key=${tab} route=${route} />`;
}
