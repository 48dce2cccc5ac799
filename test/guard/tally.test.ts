/** What is counted of a source, and what a failure says of its outage. */
import { failed, type Failed } from '../../src/answer';
import { Tally } from '../../src/guard/tally';
import { allow } from '../../src/verdict';

const gone = failed('unavailable', 'ECONNREFUSED', 'OPA could not be reached');
const late = failed('unavailable', 'TIMEOUT', 'no answer within 500 ms');
const open = failed('unavailable', 'BREAKER_OPEN', 'the circuit breaker is open');
const full = failed('overloaded', 'QUEUE_FULL', 'too many');
const broken = failed('invalid', 'HTTP_500', 'broken');

let now = 1000;
beforeEach(() => {
  now = 1000;
  jest.spyOn(Date, 'now').mockImplementation(() => now);
});
afterEach(() => jest.restoreAllMocks());

const failureOf = (tally: Tally, answer: Failed) =>
  (tally.add(answer, 1) as Failed).failure;

it('counts questions and their failures by class, and keeps the last one', () => {
  const tally = new Tally();
  for (const answer of [allow('yes'), gone, gone, full, broken]) tally.add(answer, 1);
  expect(tally.read()).toMatchObject({
    asked: 5,
    failures: { unavailable: 2, overloaded: 1, invalid: 1 },
    lastFailure: { code: 'HTTP_500', at: 1000 },
  });
});

it('an outage begins with the first question that did not reach the source', () => {
  const tally = new Tally();
  tally.reached(gone);
  now = 2000;
  tally.reached(late);
  expect(failureOf(tally, late)).toMatchObject({ code: 'TIMEOUT', since: 1000 });
  expect(tally.read().unavailableSince).toBe(1000);
});

it('an open breaker says why it is open, by the latest question that was put', () => {
  const tally = new Tally();
  tally.reached(gone);
  tally.reached(late);
  expect(failureOf(tally, open)).toMatchObject({
    code: 'BREAKER_OPEN',
    since: 1000,
    cause: { code: 'TIMEOUT', message: late.failure.message },
  });
});

it.each([
  ['a verdict', allow('yes')],
  ['an invalid answer', broken],
])('%s ends an outage', (_what, answer) => {
  const tally = new Tally();
  tally.reached(gone);
  tally.reached(answer);
  expect(tally.read().unavailableSince).toBeUndefined();
  expect(failureOf(tally, gone)).not.toHaveProperty('since');
});

it('an overload of ours neither begins nor ends an outage', () => {
  const tally = new Tally();
  tally.reached(full);
  expect(tally.read().unavailableSince).toBeUndefined();
  tally.reached(gone);
  tally.reached(full);
  expect(tally.read().unavailableSince).toBe(1000);
  expect(failureOf(tally, full)).not.toHaveProperty('since');
});

it('percentiles are of the latest 1024 answers', () => {
  const tally = new Tally();
  expect(tally.read().percentiles()).toBeUndefined();
  for (let index = 0; index < 1000; index++) tally.add(allow('yes'), 1000);
  for (let index = 1; index <= 1024; index++) tally.add(allow('yes'), index);
  expect(tally.read().percentiles()).toEqual({ p50: 512, p99: 1014 });
});
