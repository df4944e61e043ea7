/* What works in the background: jobs, queues, dead letters, dead events, schedules. The API shows an organization its
   own; operators have charts and the whole suite on the operations port, which is not public. */

import { useMay } from "../lib/session.js";
import { html } from "../lib/ui.js";
import { Head, Tabs } from "../parts/tabs.js";
import { DeadEvents, DeadLetters } from "./operations-dead.js";
import { Health } from "./operations-health.js";
import { Mail } from "./operations-mail.js";
import { Jobs, Queues, Schedules } from "./operations-jobs.js";

// Name, title, and the scope that reads it, where one is needed.
const TABS = [["jobs", "Jobs"], ["queues", "Queues", "*"], ["dead-letters", "Dead letters", "*"],
  ["dead-events", "Dead events", "*"], ["schedules", "Schedules", "*"], ["mail", "Mail", "*"], ["health", "Health"]];
const PAGES = { jobs: Jobs, queues: Queues, "dead-letters": DeadLetters, "dead-events": DeadEvents,
  schedules: Schedules, mail: Mail, health: Health };

export function Operations({ route, tab = "jobs" }) {
  const may = useMay();
  const tabs = TABS.filter(([, , scope]) => !scope || may(scope));
  const Page = PAGES[tab] ?? Jobs;
  return html`<${Head} title="Operations" />
    <${Tabs} base=${["operations"]} tabs=${tabs} current=${tab} label="Parts of operations" />
    <${Page} key=${tab} route=${route} />`;
}
