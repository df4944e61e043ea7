// Sustained load of the paper: 500 users, 50 requests a second in all, 30 minutes.
import { cleanUp, oneRequest, prepare, seconds, summaryTrendStats, writeSummary } from './common.js';

export const options = {
  summaryTrendStats,
  scenarios: {
    users: { executor: 'constant-arrival-rate', rate: 50, timeUnit: '1s', duration: seconds(1800), preAllocatedVUs: 500, maxVUs: 500 },
  },
};
export const setup = prepare;
export const teardown = cleanUp;
export default oneRequest;
export const handleSummary = writeSummary;
