/** What is counted of a decision, read as Prometheus would. */
import { metrics, type Meter } from '@opentelemetry/api';
import { measure, type Measured, type SourceReading } from '../../src/trace/metrics';
import {
  newRecord,
  type DecisionRecord,
  type SourceRecord,
} from '../../src/trace/record';
import type { Failure } from '../../src/verdict';
import { startPrometheus, type Prometheus, type Scrape } from '../support/prometheus';

const DOWN: Failure = { class: 'unavailable', code: 'ECONNREFUSED', message: 'down' };
const WRONG: Failure = { class: 'invalid', code: 'HTTP_500', message: 'wrong' };

const reading = (
  source: string,
  state: 'closed' | 'half-open' | 'open' = 'closed',
  more: Partial<SourceReading> = {},
): SourceReading => ({
  source,
  endpoint: undefined,
  remote: { breaker: { state }, inFlight: 3, queued: 2 },
  ...more,
});

const record = (
  fields: Partial<DecisionRecord>,
  ...sources: SourceRecord[]
): DecisionRecord => ({ ...newRecord(), milliseconds: 30, ...fields, sources });

const answered = (source: string, more: Partial<SourceRecord> = {}): SourceRecord => ({
  source,
  verdict: 'ALLOW',
  milliseconds: 20,
  ...more,
});

let prometheus: Prometheus;
beforeEach(async () => {
  prometheus = await startPrometheus();
});
afterEach(() => prometheus.stop());

const started = (measured: Partial<Measured> = {}) =>
  measure({ sources: () => [], recordsLost: () => 0, ...measured });

/** What is read after these decisions. */
async function after(...records: DecisionRecord[]): Promise<Scrape> {
  const { sinks } = started({ sources: () => [reading('opa'), reading('embedded')] });
  for (const each of records) for (const sink of sinks) sink(each);
  return prometheus.scrape();
}

const DECISIONS = 'policy_router_decisions_total';
const FAIL_OPEN = 'policy_router_fail_open_decisions_total';
const STANDBY = 'policy_router_standby_decisions_total';

describe('a decision', () => {
  it('is counted by route, result and class of failure', async () => {
    const scrape = await after(
      record({ route: "'catalog'", result: 'ALLOW' }, answered('opa')),
      record({ route: "'catalog'", result: 'ALLOW' }, answered('opa')),
      record(
        { route: "'catalog'", result: 'DENY' },
        answered('opa', { verdict: 'DENY', failure: DOWN }),
      ),
    );
    const route = "'catalog'";
    const denied = { route, result: 'DENY', failure_class: 'unavailable' };
    expect(scrape.value(DECISIONS, { route, result: 'ALLOW' })).toBe(2);
    expect(scrape.value(DECISIONS, denied)).toBe(1);
    expect(scrape.value('policy_router_decision_duration_count', denied)).toBe(1);
    expect(scrape.value('policy_router_decision_duration_sum', denied)).toBe(0.03);
    expect(
      scrape.value('policy_router_decision_duration_bucket', { le: '0.025' }),
    ).toBe(0);
  });

  it('without a route is counted as none, or as that of the fallback', async () => {
    const scrape = await after(record({}), record({ route: 'fallback' }));
    expect(scrape.value(DECISIONS, { route: 'none' })).toBe(1);
    expect(scrape.value(DECISIONS, { route: 'fallback' })).toBe(1);
  });

  it("that failed in the router itself counts the router's class", async () => {
    const scrape = await after(
      record({ failure: WRONG }, answered('opa', { failure: DOWN })),
    );
    expect(scrape.of(DECISIONS)[0]!.labels).toMatchObject({ failure_class: 'invalid' });
  });

  it('has no label of a caller', async () => {
    const told = 'told-by-a-caller';
    const scrape = await after(
      record(
        {
          permission: { type: 'basic', name: told, attributes: {} },
          user: `user:default/${told}`,
          refs: [told],
          reason: told,
          failure: { ...DOWN, code: told, message: told },
        },
        answered('opa', { reason: told, decisionId: told }),
      ),
    );
    expect(scrape.text).not.toContain(told);
  });
});

describe('a source', () => {
  it('is measured at each endpoint, and as a standby under its own name', async () => {
    const attempts = [
      { source: 'opa', endpoint: 'http://a', standby: false, failure: DOWN },
      { source: 'opa', endpoint: 'http://b', standby: false, failure: DOWN },
      { source: 'embedded', standby: true },
    ].map(each => ({ ...each, verdict: 'ALLOW' as const, milliseconds: 5 }));
    const scrape = await after(record({}, answered('opa', { attempts })));
    const counts = (name: string) =>
      scrape
        .of(name)
        .filter(({ value }) => value > 0)
        .map(({ labels: { source, endpoint } }) => [source, endpoint]);
    expect(counts('policy_router_source_duration_count')).toEqual([
      ['opa', 'http://a'],
      ['opa', 'http://b'],
      ['embedded', undefined],
    ]);
    expect(counts('policy_router_source_failures_total')).toEqual([
      ['opa', 'http://a'],
      ['opa', 'http://b'],
    ]);
    expect(scrape.value(STANDBY, { source: 'opa' })).toBe(1);
  });

  it('that was not asked is not measured', async () => {
    const scrape = await after(record({}, { source: 'opa', verdict: 'NOT_ASKED' }));
    expect(scrape.of('policy_router_source_duration_count')).toEqual([]);
  });

  it('that fails open is counted if the decision is not DENY', async () => {
    const open = answered('opa', { failure: DOWN });
    const scrape = await after(
      record({ result: 'ALLOW' }, open),
      record({ result: 'CONDITIONAL' }, answered('ownership'), open),
      record({ result: 'DENY' }, open, answered('deny', { verdict: 'DENY' })),
    );
    expect(scrape.value(FAIL_OPEN, { source: 'opa' })).toBe(2);
  });

  it('starts at 0 where an alert needs a value before the first', async () => {
    const scrape = await after();
    expect(scrape.value(FAIL_OPEN, { source: 'opa' })).toBe(0);
    expect(scrape.value(STANDBY, { source: 'opa' })).toBe(0);
    const reloads = 'policy_router_config_reloads_total';
    expect(scrape.value(reloads, { outcome: 'used' })).toBe(0);
    expect(scrape.value(reloads, { outcome: 'rejected' })).toBe(0);
    expect(scrape.value('policy_router_audit_dropped_total')).toBe(0);
    expect(scrape.value('policy_router_records_lost_total')).toBe(0);
  });

  it('says how its breaker and its queue are', async () => {
    started({
      sources: () => [
        reading('a', 'closed'),
        reading('b', 'half-open', { endpoint: 'http://b' }),
        reading('c', 'open'),
        { source: 'ownership', endpoint: undefined },
      ],
    });
    const scrape = await prometheus.scrape();
    const states = scrape.of('policy_router_source_breaker_state');
    expect(states.map(({ labels, value }) => [labels.source, value])).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 2],
    ]);
    expect(states[1]!.labels).toMatchObject({ endpoint: 'http://b' });
    expect(scrape.value('policy_router_source_in_flight', { source: 'c' })).toBe(3);
    expect(scrape.value('policy_router_source_queued', { source: 'c' })).toBe(2);
  });

  it('that has left the config is not reported with its open breaker', async () => {
    let sources = [reading('old', 'open')];
    const router = started({ sources: () => sources });
    await prometheus.scrape();
    sources = [reading('new')];
    router.reloaded('used');
    const scrape = await prometheus.scrape();
    const state = 'policy_router_source_breaker_state';
    expect(scrape.value(state, { source: 'old' })).toBe(0);
    expect(scrape.value('policy_router_source_in_flight', { source: 'old' })).toBe(0);
    sources = [reading('old', 'open')];
    router.reloaded('used');
    expect((await prometheus.scrape()).value(state, { source: 'old' })).toBe(2);
  });
});

it('counts comparisons by route and outcome', async () => {
  const router = started();
  for (const outcome of ['same', 'differs', 'same'])
    router.compared("'catalog'", outcome);
  const scrape = await prometheus.scrape();
  const compared = 'policy_router_shadow_decisions_total';
  const route = "'catalog'";
  expect(scrape.value(compared, { route, outcome: 'same' })).toBe(2);
  expect(scrape.value(compared, { route, outcome: 'differs' })).toBe(1);
});

it('counts the decisions that whenAskedWithoutResource allows', async () => {
  const asked = { route: "'catalog'", withoutResource: true } as const;
  const scrape = await after(
    record({ ...asked, result: 'ALLOW' }),
    record({ ...asked, result: 'DENY' }),
  );
  const name = 'policy_router_asked_without_resource_decisions_total';
  expect(scrape.value(name, { route: "'catalog'" })).toBe(1);
});

it('reads what was dropped and lost', async () => {
  started({ recordsLost: () => 4, auditDropped: () => 5 });
  const scrape = await prometheus.scrape();
  expect(scrape.value('policy_router_records_lost_total')).toBe(4);
  expect(scrape.value('policy_router_audit_dropped_total')).toBe(5);
});

it('counts reloads, and says when a config was last good and whether the latest is', async () => {
  const now = jest.spyOn(Date, 'now');
  now.mockReturnValue(1_000_000);
  const router = started();
  now.mockReturnValue(2_000_000);
  router.reloaded('rejected');
  now.mockRestore();
  let scrape = await prometheus.scrape();
  expect(scrape.value('policy_router_config_last_good')).toBe(1000);
  expect(scrape.value('policy_router_config_rejected')).toBe(1);
  router.reloaded('used');
  scrape = await prometheus.scrape();
  expect(scrape.value('policy_router_config_rejected')).toBe(0);
  expect(scrape.value('policy_router_config_last_good')).toBeGreaterThan(1000);
  const reloads = 'policy_router_config_reloads_total';
  expect(scrape.value(reloads, { outcome: 'used' })).toBe(1);
  expect(scrape.value(reloads, { outcome: 'rejected' })).toBe(1);
});

it('reads nothing of a router that is closed', async () => {
  const sources = jest.fn(() => [reading('opa')]);
  const router = started({ sources });
  router.close();
  sources.mockClear();
  await prometheus.scrape();
  expect(sources).not.toHaveBeenCalled();
});

it('has no sink where no SDK is set up', () => {
  metrics.disable();
  expect(started().sinks).toEqual([]);
});

describe('an SDK that throws', () => {
  const thrown = (): never => {
    throw new Error('an SDK that throws');
  };
  const getMeter = jest.spyOn(metrics, 'getMeter');
  afterAll(() => getMeter.mockRestore());

  it('when it is asked for anything leaves a router without metrics', () => {
    getMeter.mockReturnValue(new Proxy({} as Meter, { get: thrown }));
    const router = started();
    expect(router.sinks).toEqual([]);
    router.reloaded('used');
    router.close();
  });

  it('when it counts makes no reload fail', () => {
    const instrument = { add: thrown, record: thrown };
    const meter = new Proxy({} as Meter, {
      get: (_, name) => (String(name).startsWith('create') ? () => instrument : thrown),
    });
    getMeter.mockReturnValue(
      new Proxy(meter, {
        get: (each, name) =>
          name === 'addBatchObservableCallback'
            ? () => {}
            : (Reflect.get(each, name) as unknown),
      }),
    );
    const router = started({ sources: () => [reading('opa')] });
    expect(router.sinks).toHaveLength(1);
    router.reloaded('used');
    router.close();
  });
});

describe('an observed decision', () => {
  const OBSERVED = 'policy_router_observed_decisions_total';
  const route = "'catalog'";
  const observed = (
    result: DecisionRecord['result'],
    source: SourceRecord,
    more: Partial<DecisionRecord['observed']> = {},
  ): DecisionRecord['observed'] =>
    ({ answer: source.source, until: 0, result, reason: '', source, ...more }) as never;

  it('is counted with both results, apart from what is enforced', async () => {
    const scrape = await after(
      record(
        { route, result: 'DENY', observed: observed('ALLOW', answered('team')) },
        answered('opa', { verdict: 'DENY' }),
      ),
      record({ route, result: 'DENY' }, answered('opa', { verdict: 'DENY' })),
    );
    expect(scrape.value(OBSERVED, { route, result: 'DENY', answer: 'ALLOW' })).toBe(1);
    const labels = { route, result: 'DENY', observed: 'true' };
    expect(scrape.value(DECISIONS, labels)).toBe(1);
    expect(scrape.value('policy_router_decision_duration_count', labels)).toBe(1);
    const enforced = scrape
      .of(DECISIONS)
      .filter(({ labels: { observed: only } }) => only === undefined);
    expect(enforced).toHaveLength(1);
  });

  it('opens nothing by fail-open', async () => {
    const open = answered('opa', { failure: DOWN });
    const given = observed('ALLOW', answered('team'));
    const scrape = await after(record({ result: 'ALLOW', observed: given }, open));
    expect(scrape.value(FAIL_OPEN, { source: 'opa' })).toBe(0);
  });

  it('counts the source that answers like any other, with its failure', async () => {
    const team = answered('team', { verdict: 'DENY', failure: DOWN });
    const given = observed('DENY', team);
    const scrape = await after(record({ route, result: 'ALLOW', observed: given }));
    const failed = { source: 'team', failure_class: 'unavailable' };
    expect(scrape.value('policy_router_source_failures_total', failed)).toBe(1);
    expect(
      scrape.value('policy_router_source_duration_count', { source: 'team' }),
    ).toBe(1);
    const denied = {
      route,
      result: 'ALLOW',
      answer: 'DENY',
      failure_class: 'unavailable',
    };
    expect(scrape.value(OBSERVED, denied)).toBe(1);
  });

  it('was allowed without a resource if what was given is', async () => {
    const WITHOUT = 'policy_router_asked_without_resource_decisions_total';
    const withoutResource = true as const;
    const scrape = await after(
      record({
        ...{ route, result: 'DENY' },
        observed: observed('ALLOW', answered('team'), { withoutResource }),
      }),
      record({
        ...{ route, result: 'ALLOW', withoutResource },
        observed: observed('ALLOW', answered('team')),
      }),
    );
    expect(scrape.value(WITHOUT, { route })).toBe(1);
  });
});
