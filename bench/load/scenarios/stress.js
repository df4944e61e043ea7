// Stress of the paper: more and more requests until the suite fails, which is when more than 5 % of the answers are
// neither a success nor a refusal with Retry-After, or when half of the answers take longer than two seconds.
import { cleanUp, oneRequest, prepare, seconds, summaryTrendStats, writeSummary } from './common.js';

const top = Number(__ENV.TOP_RATE || 1000);

export const options = {
  summaryTrendStats,
  scenarios: {
    users: {
      executor: 'ramping-arrival-rate',
      startRate: 20,
      timeUnit: '1s',
      preAllocatedVUs: 200,
      maxVUs: 2000,
      stages: [{ duration: seconds(300), target: top }],
    },
  },
  thresholds: {
    broken: [{ threshold: `rate<${top * 0.05}`, abortOnFail: true, delayAbortEval: '10s' }],
    http_req_duration: [{ threshold: 'med<2000', abortOnFail: true, delayAbortEval: '10s' }],
  },
};
export const setup = prepare;
export const teardown = cleanUp;
export default oneRequest;
export const handleSummary = writeSummary;
