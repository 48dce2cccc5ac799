/**
 * What Prometheus reads of a real backend through an outage of a real OPA and a reload, and that
 * the alerts in config/ use nothing else.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { assumeIdleLoop } from '../support/idle-loop';
import { startOpa, type OpaServer } from '../support/opa-server';
import {
  startPrometheus,
  type Labels,
  type Prometheus,
  type Scrape,
} from '../support/prometheus';
import { until } from '../support/until';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const ENTRYPOINT = 'backstage_policy/decision';
const BREAKER = 'policy_router_source_breaker_state';
const FAIL_OPEN = 'policy_router_fail_open_decisions_total';
const STANDBY = 'policy_router_standby_decisions_total';
const DECISIONS = 'policy_router_decisions_total';
const RELOADS = 'policy_router_config_reloads_total';

assumeIdleLoop();

describeWithOpa('metrics of a real backend', () => {
  let prometheus: Prometheus;
  let opa: OpaServer;
  let backend: RunningBackend;
  let petra: string;

  const table = (fallback = 'deny', more: object = {}): object => {
    const source = {
      type: 'opa',
      baseUrl: opa.url,
      entrypoint: ENTRYPOINT,
      circuitBreaker: { volumeThreshold: 2, resetTimeout: '1s' },
    };
    return {
      fallback,
      sources: {
        closed: source,
        open: { ...source, onUnavailable: 'fail-open' },
        replaced: { ...source, standby: 'embedded' },
        embedded: {
          type: 'opa-wasm',
          bundle: 'config/bundle.tar.gz',
          entrypoint: ENTRYPOINT,
        },
        ...more,
      },
      routes: [
        { prefix: 'closed', sources: ['closed'] },
        { prefix: 'open', sources: ['open'] },
        { prefix: 'replaced', sources: ['replaced'] },
        {
          prefix: 'observed',
          sources: ['deny'],
          observe: { answer: 'allow', until: '2099-01-31' },
        },
      ],
    };
  };

  const ask = async (...names: string[]): Promise<void> => {
    const { status } = await authorize(
      backend.url,
      petra,
      names.map(name => basic(name)),
    );
    expect(status).toBe(200);
  };
  const value = async (name: string, labels: Labels = {}) =>
    (await prometheus.scrape()).value(name, labels);

  const askUntil = (isSo: (scrape: Scrape) => boolean, what: string): Promise<void> =>
    until(async () => {
      await ask('closed.x', 'open.x', 'replaced.x');
      return isSo(await prometheus.scrape());
    }, what);

  beforeAll(async () => {
    prometheus = await startPrometheus();
    opa = await startOpa({ binary: requireOpa(), policies: ['config/policies'] });
    backend = await startBackend({ policyRouter: table() });
    petra = await backend.signIn('petra');
  });

  afterAll(async () => {
    await backend.stop();
    await opa.stop();
    await prometheus.stop();
  });

  it('while OPA answers: decisions are counted, breakers are closed, nobody stands in', async () => {
    await ask('closed.x', 'open.x', 'replaced.x', 'unrouted');
    const scrape = await prometheus.scrape();
    for (const source of ['closed', 'open', 'replaced']) {
      expect(scrape.value(BREAKER, { source })).toBe(0);
      expect(scrape.value(FAIL_OPEN, { source })).toBe(0);
      expect(scrape.value(STANDBY, { source })).toBe(0);
      expect(scrape.value('policy_router_source_duration_count', { source })).toBe(1);
      expect(scrape.value('policy_router_source_in_flight', { source })).toBe(0);
    }
    expect(scrape.value(DECISIONS, { route: "'closed'" })).toBe(1);
    expect(scrape.value(DECISIONS, { route: 'fallback', result: 'DENY' })).toBe(1);
  });

  it('of what is only observed tell the decision and what was given', async () => {
    await ask('observed.x');
    const labels = { route: "'observed'", result: 'DENY', answer: 'ALLOW' };
    await until(
      async () => (await value('policy_router_observed_decisions_total', labels)) === 1,
      'the decision is counted',
    );
  });

  it('while OPA is down: breakers open, fail-open, standby and denials are counted', async () => {
    const gone = once(opa.process, 'exit');
    opa.kill('SIGKILL');
    await gone;
    await askUntil(
      scrape =>
        ['closed', 'open', 'replaced'].every(
          source => scrape.value(BREAKER, { source }) === 2,
        ),
      'every breaker is open',
    );
    const scrape = await prometheus.scrape();
    const byFailure = { result: 'DENY', failure_class: 'unavailable' };
    expect(scrape.value(FAIL_OPEN, { source: 'open' })).toBeGreaterThan(0);
    expect(scrape.value(FAIL_OPEN, { source: 'closed' })).toBe(0);
    expect(scrape.value(STANDBY, { source: 'replaced' })).toBeGreaterThan(0);
    expect(scrape.value(STANDBY, { source: 'open' })).toBe(0);
    expect(
      scrape.value(DECISIONS, { ...byFailure, route: "'closed'" }),
    ).toBeGreaterThan(0);
    expect(scrape.value(DECISIONS, { ...byFailure, route: "'open'" })).toBeUndefined();
    const failures = { source: 'closed', failure_class: 'unavailable' };
    expect(
      scrape.value('policy_router_source_failures_total', failures),
    ).toBeGreaterThan(0);
  });

  it('once OPA is back: breakers close, and the counters stay', async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies'],
      port: opa.port,
    });
    await askUntil(
      scrape => scrape.of(BREAKER).every(sample => sample.value === 0),
      'every breaker is closed',
    );
    const before = await value(FAIL_OPEN, { source: 'open' });
    expect(before).toBeGreaterThan(0);
    await ask('open.x');
    expect(await value(FAIL_OPEN, { source: 'open' })).toBe(before);
  });

  it('reloads are counted by what came of them', async () => {
    const loadedAt = (await value('policy_router_config_last_good'))!;
    await backend.writeConfig(
      table('allow', {
        added: { type: 'opa', baseUrl: opa.url, entrypoint: ENTRYPOINT },
      }),
    );
    await backend.logs.waitFor('The changed config is in use');
    let scrape = await prometheus.scrape();
    expect(scrape.value(RELOADS, { outcome: 'used' })).toBe(1);
    expect(scrape.value('policy_router_config_last_good')).toBeGreaterThan(loadedAt);
    expect(scrape.value(BREAKER, { source: 'added' })).toBe(0);

    await backend.writeConfig(table('perhaps'));
    await backend.logs.waitFor('The changed config is not used');
    scrape = await prometheus.scrape();
    expect(scrape.value(RELOADS, { outcome: 'rejected' })).toBe(1);
    expect(scrape.value('policy_router_config_rejected')).toBe(1);

    const since = backend.logs.lines.length;
    await backend.writeConfig(table('deny'));
    await backend.logs.waitFor('is valid again', since);
    expect(await value(RELOADS, { outcome: 'used' })).toBe(2);
    expect(await value('policy_router_config_rejected')).toBe(0);
  });

  it('no person and no permission is in them', async () => {
    const { text } = await prometheus.scrape();
    expect(text).not.toMatch(/petra|closed\.x|unrouted/);
  });

  it('the alerts in config/ use metrics that exist', async () => {
    const { groups } = parse(readFileSync('config/prometheus-rules.yaml', 'utf8')) as {
      groups: Array<{ rules: Array<{ expr: string }> }>;
    };
    const used = groups.flatMap(({ rules }) =>
      rules.flatMap(({ expr }) => expr.match(/policy_router_\w+/g) ?? []),
    );
    expect(used.length).toBeGreaterThan(5);
    const { samples } = await prometheus.scrape();
    const exist = new Set(samples.map(({ name }) => name));
    expect(used.filter(name => !exist.has(name))).toEqual([]);
  });
});
