// One source sends twice what its limit of 1,000 a minute allows, over all gateways in turn. Beside it, two small answers
// of each gateway are asked at the same rate: one whose route is limited, and one whose route is not.
import http from 'k6/http';

const gateways = __ENV.GATEWAYS.split(',');
const seconds = Number(__ENV.SECONDS);
const steady = (exec, rate) => ({
  executor: 'constant-arrival-rate', exec, rate, timeUnit: '60s', duration: `${seconds}s`, preAllocatedVUs: 30, maxVUs: 200,
});

export const options = {
  discardResponseBodies: true,
  scenarios: { source: steady('source', 2000), limited: steady('limited', 450), unlimited: steady('unlimited', 450) },
};

const gateway = () => gateways[Math.floor(Math.random() * gateways.length)];

export function source() {
  http.post(`${gateway()}/api/webhooks/retell/nothing`, '{}', {
    headers: { 'content-type': 'application/json' }, tags: { name: 'source' },
  });
}

export function limited() {
  http.get(`${gateway()}/docs/style.css`, { tags: { name: 'limited' } });
}

export function unlimited() {
  http.get(`${gateway()}/health/live`, { tags: { name: 'unlimited' } });
}
