// One source sends twice what its limit of 1,000 a minute allows, over all gateways in turn. Beside it one address reads,
// below its limit: reads are counted by permits that a gateway takes ahead, webhooks one by one.
import http from 'k6/http';

const gateways = __ENV.GATEWAYS.split(',');
const seconds = Number(__ENV.SECONDS);
const steady = (exec, rate) => ({
  executor: 'constant-arrival-rate', exec, rate, timeUnit: '60s', duration: `${seconds}s`, preAllocatedVUs: 30, maxVUs: 200,
});

export const options = {
  discardResponseBodies: true,
  scenarios: { source: steady('source', 2000), reader: steady('reader', 450) },
};

const gateway = () => gateways[Math.floor(Math.random() * gateways.length)];

export function source() {
  http.post(`${gateway()}/api/webhooks/retell/nothing`, '{}', {
    headers: { 'content-type': 'application/json' }, tags: { name: 'source' },
  });
}

export function reader() {
  http.get(`${gateway()}/docs/style.css`, { tags: { name: 'reader' } });
}
