/** docs/metrics.md lists what the code makes, both ways: instruments, labels, attributes, alerts. */
import { readFileSync } from 'node:fs';
import { metrics } from '@opentelemetry/api';
import { parse } from 'yaml';
import { measure } from '../../src/trace/metrics';
import { newRecord, type SourceRecord } from '../../src/trace/record';
import { Spans } from '../../src/trace/spans';
import type { Failure } from '../../src/verdict';
import { startPrometheus, type Prometheus } from '../support/prometheus';
import { recordSpans } from '../support/recorded-spans';

const page = readFileSync('docs/metrics.md', 'utf8');

/** The rows of the first table below this heading, without the marks of code. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return section
    .split('\n')
    .filter(line => line.startsWith('|'))
    .slice(2)
    .map(line => line.split('|').slice(1, -1))
    .map(cells => cells.map(cell => cell.trim().replaceAll('`', '')));
}

const DOWN: Failure = { class: 'unavailable', code: 'TIMEOUT', message: 'down' };

/** Sources that have been asked, so that every instrument and attribute has a value. */
const SOURCES: readonly SourceRecord[] = [
  { source: 'open', verdict: 'ALLOW', failure: DOWN, endpoint: 'http://a' },
  {
    source: 'replaced',
    verdict: 'ALLOW',
    attempts: [
      ...['http://a', 'http://b'].map(endpoint => ({
        ...{ source: 'replaced', endpoint, standby: false },
        ...({ verdict: 'FAILED', failure: DOWN, milliseconds: 1 } as const),
      })),
      { source: 'embedded', standby: true, verdict: 'ALLOW', milliseconds: 1 },
    ],
  },
];

const RECORD = {
  ...newRecord(),
  permission: { type: 'basic', name: 'a', attributes: {} } as const,
  route: "'a'",
  result: 'ALLOW' as const,
  withoutResource: true as const,
  sources: [...SOURCES],
};

/** Its answering source has failed. */
const OBSERVED = {
  ...RECORD,
  observed: {
    ...newRecord(),
    answer: 'team',
    until: 0,
    source: { source: 'team', verdict: 'DENY' as const, failure: DOWN },
  },
};

describe('the metrics', () => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    prometheus = await startPrometheus();
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await prometheus.stop();
  });

  it('are those that are exported, with kind, unit and labels', async () => {
    const meter = metrics.getMeter('spied on');
    const created: string[] = [];
    jest.spyOn(metrics, 'getMeter').mockReturnValue(
      new Proxy(meter, {
        get: (target, key: keyof typeof meter) => {
          if (!key.startsWith('create')) return target[key].bind(target) as unknown;
          return (name: string, options: object) => {
            created.push(name);
            return (target[key] as (...args: unknown[]) => unknown)(name, options);
          };
        },
      }),
    );
    const measured = measure({
      sources: () => [
        {
          source: 'open',
          endpoint: 'http://a',
          remote: { breaker: { state: 'closed' }, inFlight: 0, queued: 0 },
        },
      ],
      recordsLost: () => 0,
    });
    for (const sink of measured.sinks)
      for (const each of [RECORD, OBSERVED]) sink(each);
    measured.compared("'a'", 'same');
    const scrape = await prometheus.scrape();
    const [kinds, units] = [scrape.comments('TYPE'), scrape.comments('UNIT')];
    const names = [...kinds.keys()].filter(name => name.startsWith('policy_router_'));
    const labelsOf = (name: string): string =>
      [...scrape.of(name), ...scrape.of(`${name}_count`)]
        .flatMap(({ labels }) => Object.keys(labels))
        .filter((label, index, all) => all.indexOf(label) === index)
        .filter(label => !label.startsWith('otel_scope_'))
        .join(', ');
    const exported = names.map(name =>
      [name, kinds.get(name), units.get(name) ?? '', labelsOf(name)].join(' | '),
    );
    const listed = rowsBelow('Metrics').map(([name, kind, unit, labels]) =>
      [name, kind, unit === '' || unit === 's' ? unit : `{${unit}}`, labels].join(
        ' | ',
      ),
    );
    expect(listed.sort()).toEqual(exported.sort());
    // What is created has a value, else it would not be among those.
    expect(created.map(name => name.replaceAll('.', '_')).sort()).toEqual(
      names.map(name => name.replace(/_total$/, '')).sort(),
    );
  });
});

describe('the attributes of spans', () => {
  it('are those that are set', async () => {
    const spans = recordSpans();
    const span = new Spans().decision()!;
    for (const each of SOURCES) span.source()!.end(each);
    span.end(OBSERVED);
    const set = spans
      .all()
      .flatMap(({ name, attributes }) =>
        Object.keys(attributes).map(key => [key, name.replace('policy_router.', '')]),
      );
    await spans.stop();
    const on = (attribute: string): string => {
      const places = new Set(
        set.flatMap(([key, place]) => (key === attribute ? [place] : [])),
      );
      return places.size > 1 ? 'both' : [...places].join('');
    };
    const attributes = [...new Set(set.map(([key]) => key!))];
    expect(
      rowsBelow('Traces')
        .map(([name, place]) => `${name} on ${place}`)
        .sort(),
    ).toEqual(attributes.map(name => `${name} on ${on(name)}`).sort());
  });
});

it('the alerts are those in config/', () => {
  const { groups } = parse(readFileSync('config/prometheus-rules.yaml', 'utf8')) as {
    groups: Array<{ rules: Array<{ alert: string; expr: string }> }>;
  };
  const rules = groups.flatMap(each => each.rules);
  expect(rowsBelow('Alerts').map(([name]) => name)).toEqual(
    rules.map(({ alert }) => alert),
  );
  const example = /```yaml\n([\s\S]*?)```/.exec(page.split('\n## Alerts\n')[1]!)![1]!;
  const [shown] = parse(example) as Array<{ alert: string; expr: string }>;
  expect(rules[0]).toMatchObject(shown!);
});
