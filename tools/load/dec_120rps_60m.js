// C71: 120 trades a second for 60 minutes; 95 of 100 answered within 800 ms, and no error of the server. README.md says how to run it.
import http from 'k6/http';
import exec from 'k6/execution';
import { Rate } from 'k6/metrics';

const base = __ENV.MBP_URL || 'http://127.0.0.1:5080';
const key = __ENV.MBP_API_KEY;
const markets = (__ENV.MBP_MARKETS || '').split(',').filter((id) => id);
const accounts = (__ENV.MBP_ACCOUNTS || '').split(',').filter((id) => id);
const run = __ENV.MBP_RUN || `k6-${Date.now()}`;

// A refusal by a rule of the market (409, 422) is an answer; only what the server could not do counts here.
const serverErrors = new Rate('server_errors');
http.setResponseCallback(http.expectedStatuses(200, 409, 422));

export const options = {
  scenarios: {
    trades: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.MBP_RATE || 120),
      timeUnit: '1s',
      duration: __ENV.MBP_DURATION || '60m',
      preAllocatedVUs: 64,
      maxVUs: 512,
    },
  },
  thresholds: {
    http_req_duration: ['p(95)<800'],
    http_req_failed: ['rate==0'],
    server_errors: ['rate==0'],
    // An arrival that found no free user was not sent: the rate was not what it claims to be.
    dropped_iterations: ['count==0'],
  },
};

export function setup() {
  if (!key || markets.length === 0 || accounts.length === 0) {
    exec.test.abort('MBP_API_KEY, MBP_MARKETS and MBP_ACCOUNTS are needed (README.md).');
  }
}

const any = (list) => list[Math.floor(Math.random() * list.length)];

export default function () {
  const body = {
    side: 'buy',
    outcome: Math.random() < 0.5 ? 'YES' : 'NO',
    amount: String(1 + Math.floor(Math.random() * 9)),
    account: any(accounts),
  };
  const answer = http.post(`${base}/v2/markets/${any(markets)}/trades`, JSON.stringify(body), {
    headers: {
      Authorization: `Bearer ${key}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': `${run}-${exec.scenario.iterationInTest}`,
    },
    // One name for all markets, or k6 keeps a series for each.
    tags: { name: 'trade' },
  });
  serverErrors.add(answer.status >= 500 || answer.status === 0);
}
