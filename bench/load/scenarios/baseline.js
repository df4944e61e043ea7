// Baseline of the paper: 100 users, 10 requests a second in all, 5 minutes.
import { cleanUp, oneRequest, prepare, seconds, summaryTrendStats, writeSummary } from './common.js';

export const options = {
  summaryTrendStats,
  scenarios: {
    users: { executor: 'constant-arrival-rate', rate: 10, timeUnit: '1s', duration: seconds(300), preAllocatedVUs: 100, maxVUs: 100 },
  },
};
export const setup = prepare;
export const teardown = cleanUp;
export default oneRequest;
export const handleSummary = writeSummary;
