// Spike of the paper: from 0 to 500 users in one minute, one minute at the top, then back to none.
// Each user asks once in ten seconds on average, as in the sustained scenario (500 users, 50 requests a second).
import { sleep } from 'k6';
import { cleanUp, oneRequest, prepare, seconds, summaryTrendStats, writeSummary } from './common.js';

export const options = {
  summaryTrendStats,
  scenarios: {
    users: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: [
        { duration: seconds(60), target: 500 },
        { duration: seconds(60), target: 500 },
        { duration: seconds(20), target: 0 },
      ],
      gracefulRampDown: '15s',
    },
  },
};
export const setup = prepare;
export const teardown = cleanUp;
export default function (data) {
  oneRequest(data);
  sleep(5 + Math.random() * 10);
}
export const handleSummary = writeSummary;
