import type { Attempt } from '../../src/answer';
import { warnOfFailures } from '../../src/trace/failure-log';
import {
  newRecord,
  type DecisionRecord,
  type SourceRecord,
} from '../../src/trace/record';
import type { Failure, FailureClass } from '../../src/verdict';
import { permission } from '../fixtures/builders';
import { CapturedLogs } from '../support/captured-logs';
import { observedOf } from '../support/records';

const failure = (
  failureClass: FailureClass,
  code: string,
  message = 'why',
): Failure => ({ class: failureClass, code, message });

const ofSource = (each: Failure, name = 'catalog.entity.read'): DecisionRecord => ({
  ...newRecord(),
  permission: permission(name),
  user: 'user:default/olivia',
  route: "'catalog'",
  sources: [{ source: 'opa', verdict: 'DENY', reason: 'why', failure: each }],
  result: 'DENY',
  reason: 'why',
  milliseconds: 1,
});

/** The lines that these decisions leave, with no time between them. */
function linesOf(...traces: DecisionRecord[]): string[] {
  const logs = new CapturedLogs();
  const sink = warnOfFailures(logs.logger());
  for (const trace of traces) sink(trace);
  return logs.lines.map(({ level, message }) => `${level} ${message}`);
}

describe('a failure is a warning', () => {
  it('that names source, class, code and reason', () => {
    expect(linesOf(ofSource(failure('unavailable', 'ECONNREFUSED')))).toEqual([
      "warn Source 'opa' is unavailable [ECONNREFUSED]: why",
    ]);
  });

  it('and, where an answer was invalid, the permission it was met with', () => {
    expect(linesOf(ofSource(failure('invalid', 'BAD_PARAMS'), 'a.b'))).toEqual([
      'warn Source \'opa\' is invalid [BAD_PARAMS]: why (permission "a.b")',
    ]);
  });

  it.each(['unread', 'several'] as const)(
    'unless a name was asked that may be of a resource (%s)',
    declared => {
      const asked = ofSource(failure('invalid', 'BAD_CONDITIONS'));
      expect(linesOf({ ...asked, declared })).toEqual([]);
      expect(linesOf(asked, { ...asked, declared: 'none' })).toHaveLength(1);
      const ofResource = permission('a.b', { resourceType: 't' });
      expect(linesOf({ ...asked, declared, permission: ofResource })).toHaveLength(1);
      const other = ofSource(failure('invalid', 'BAD_PARAMS'));
      expect(linesOf({ ...other, declared })).toHaveLength(1);
    },
  );

  it('of the router itself, where it is', () => {
    const trace = { ...ofSource(failure('unavailable', 'TIMEOUT')), sources: [] };
    const ofRouter = failure('invalid', 'INTERNAL', 'a bug');
    expect(linesOf({ ...trace, permission: undefined, failure: ofRouter })).toEqual([
      'warn The policy router failed [INTERNAL]: a bug',
    ]);
  });

  it('only if something failed', () => {
    const trace = ofSource(failure('invalid', 'THREW'));
    expect(
      linesOf({ ...trace, sources: [{ source: 'opa', verdict: 'ALLOW' }] }),
    ).toEqual([]);
  });
});

describe('a source that is asked at several endpoints, or has a standby', () => {
  const gone = failure('unavailable', 'ECONNREFUSED', 'gone');
  const full = failure('overloaded', 'QUEUE_FULL', 'full');
  const broken = failure('invalid', 'BAD_JSON', 'no JSON');
  const attempt = (fields: Partial<Attempt>): Attempt => ({
    source: 'opa',
    standby: false,
    verdict: fields.failure ? 'FAILED' : 'ALLOW',
    milliseconds: 1,
    ...fields,
  });
  const withSource = (fields: Partial<SourceRecord>): DecisionRecord => ({
    ...ofSource(gone),
    sources: [{ source: 'opa', verdict: 'DENY', ...fields }],
  });
  const first = attempt({ endpoint: 'http://one', failure: gone });

  it('is warned of at each endpoint where it failed', () => {
    const second = attempt({ endpoint: 'http://two', failure: full });
    const trace = withSource({ failure: gone, attempts: [first, second] });
    expect(linesOf(trace)).toEqual([
      "warn Source 'opa' at http://one is unavailable [ECONNREFUSED]: gone",
      "warn Source 'opa' at http://two is overloaded [QUEUE_FULL]: full",
    ]);
  });

  it('is warned of though another endpoint decided, which is not warned of', () => {
    const second = attempt({ endpoint: 'http://two' });
    const trace = withSource({ verdict: 'ALLOW', attempts: [first, second] });
    expect(linesOf(trace)).toEqual([
      "warn Source 'opa' at http://one is unavailable [ECONNREFUSED]: gone",
    ]);
  });

  it('is warned of with its endpoint if the first one answered nonsense', () => {
    const trace = withSource({ failure: broken, endpoint: 'http://one' });
    expect(linesOf(trace)).toEqual([
      'warn Source \'opa\' at http://one is invalid [BAD_JSON]: no JSON (permission "catalog.entity.read")',
    ]);
  });

  it('is warned of as well as its standby, which differs from the source of that name', () => {
    const source = attempt({ failure: gone });
    const standby = { source: 'embedded', standby: true, failure: broken };
    const stoodIn = withSource({
      failure: gone,
      attempts: [source, attempt(standby)],
    });
    const itself = withSource({ source: 'embedded', failure: broken });
    expect(linesOf(stoodIn, itself)).toEqual([
      "warn Source 'opa' is unavailable [ECONNREFUSED]: gone",
      "warn Source standby 'embedded' of 'opa' is invalid [BAD_JSON]: no JSON (permission \"catalog.entity.read\")",
      'warn Source \'embedded\' is invalid [BAD_JSON]: no JSON (permission "catalog.entity.read")',
    ]);
  });

  it('is warned of no more often for its standby deciding, and once an endpoint', () => {
    const alone = withSource({ failure: gone });
    const stoodIn = withSource({
      verdict: 'ALLOW',
      attempts: [
        attempt({ failure: gone }),
        attempt({ source: 'embedded', standby: true }),
      ],
    });
    expect(linesOf(alone, stoodIn, stoodIn)).toHaveLength(1);
    const both = [first, attempt({ endpoint: 'http://two', failure: gone })];
    const down = withSource({ failure: gone, attempts: both });
    expect(linesOf(down, down)).toHaveLength(2);
  });
});

describe('within a minute it is written', () => {
  it.each<[string, Failure, Failure, number]>([
    [
      'once for an outage, whatever its words',
      failure('unavailable', 'TIMEOUT', 'no answer within 500 ms'),
      failure('unavailable', 'TIMEOUT', 'no answer within 400 ms'),
      1,
    ],
    [
      'once for what is wrong in one policy',
      failure('invalid', 'BAD_PARAMS', 'rule "A"'),
      failure('invalid', 'BAD_PARAMS', 'rule "A"'),
      1,
    ],
    [
      'for each thing that is wrong in a policy, so that one hides no other',
      failure('invalid', 'BAD_PARAMS', 'rule "A"'),
      failure('invalid', 'BAD_PARAMS', 'rule "B"'),
      2,
    ],
    [
      'for each code',
      failure('invalid', 'HTTP_500'),
      failure('invalid', 'HTTP_400'),
      2,
    ],
  ])('%s', (_what, one, other, lines) => {
    expect(linesOf(ofSource(one), ofSource(other))).toHaveLength(lines);
  });

  it('no more than 200 times for causes without an end, and then once a code', () => {
    const traces = Array.from({ length: 1000 }, (_, cause) =>
      ofSource(failure('invalid', cause % 2 ? 'BAD_PARAMS' : 'THREW', String(cause))),
    );
    expect(linesOf(...traces)).toHaveLength(202);
  });
});

it('a failure of the source that answers under observe is a warning too', () => {
  const record = ofSource(failure('unavailable', 'ECONNREFUSED'));
  const source = {
    ...{ source: 'team', verdict: 'DENY' as const, reason: 'why' },
    failure: failure('unavailable', 'TIMEOUT'),
  };
  expect(
    linesOf({
      ...record,
      observed: observedOf({ source, failure: failure('invalid', 'INTERNAL') }),
    }),
  ).toEqual([
    'warn The policy router failed [INTERNAL]: why (permission "catalog.entity.read")',
    "warn Source 'opa' is unavailable [ECONNREFUSED]: why",
    "warn Source 'team' is unavailable [TIMEOUT]: why",
  ]);
});
