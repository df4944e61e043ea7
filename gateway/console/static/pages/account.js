/* The signed-in person's account: profile, password and second factor, sessions, mails, and the organizations it is in. */

import { html } from "../lib/ui.js";
import { Head, Tabs } from "../parts/tabs.js";
import { Notifications } from "./account-notifications.js";
import { Organizations } from "./account-organizations.js";
import { Profile } from "./account-profile.js";
import { Security } from "./account-security.js";
import { Sessions } from "./account-sessions.js";

const TABS = [["profile", "Profile"], ["security", "Sign-in"], ["sessions", "Sessions"], ["mails", "Mails"],
  ["organizations", "Organizations"]];
const PAGES = { profile: Profile, security: Security, sessions: Sessions, mails: Notifications,
  organizations: Organizations };

export function Account({ tab = "profile" }) {
  const Page = PAGES[tab] ?? Profile;
  return html`<${Head} title="Account" />
    <${Tabs} base=${["account"]} tabs=${TABS} current=${tab} label="Parts of the account" />
    <${Page} key=${tab} />`;
}
