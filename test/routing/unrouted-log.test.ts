import type { DeclaredState } from '../../src/declared/declared-permissions';
import { parsePrefix } from '../../src/prefix';
import { RoutingTable } from '../../src/routing/table';
import { logUnrouted } from '../../src/routing/unrouted-log';
import { CapturedLogs } from '../support/captured-logs';
import { declaredBy, permission } from '../support/declared';

/** Logs in which a marker line is the last one: then everything before it has been looked at. */
class Reporting {
  readonly logs = new CapturedLogs();
  fallback: 'allow' | 'deny' = 'deny';
  prefixes = ['catalog'];
  private readonly report = logUnrouted(this.logs.logger(), () => ({
    declared: this.declared,
    table: new RoutingTable(this.prefixes.map(parsePrefix)),
    fallback: this.fallback,
  }));

  constructor(public declared: DeclaredState) {}

  /** The lines of this report. */
  async lines(): Promise<string[]> {
    const before = this.logs.lines.length;
    this.report();
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    return this.logs.lines
      .slice(before)
      .map(({ level, message }) => `${level}: ${message}`);
  }
}

const PLUGINS = {
  catalog: [permission('catalog.entity.read', 'read', 'catalog-entity')],
  jobs: [permission('jobs.run'), permission('jobs.stop', 'delete')],
  page: [],
};

it('counts what no route matches, and names it in the debug log', async () => {
  expect(await new Reporting(declaredBy(PLUGINS)).lines()).toEqual([
    'info: Of 3 permissions that 2 plugins declare, 2 match no route and get the fallback (DENY). docs/operations.md shows how to list them',
    'debug: Declared permissions that no route matches: "jobs.run", "jobs.stop"',
  ]);
});

it('says that the fallback allows', async () => {
  const reporting = new Reporting(declaredBy({ jobs: [permission('jobs.run')] }));
  reporting.fallback = 'allow';
  expect(await reporting.lines()).toEqual([
    'info: Of 1 permission that 1 plugin declares, 1 matches no route and gets the fallback (ALLOW). docs/operations.md shows how to list them',
    expect.stringContaining('debug'),
  ]);
});

it('says that every permission has a route', async () => {
  const reporting = new Reporting(declaredBy(PLUGINS));
  reporting.prefixes = ['*'];
  expect(await reporting.lines()).toEqual([
    'info: Of 3 permissions that 2 plugins declare, each matches a route',
  ]);
});

it.each([
  ['nothing is declared', declaredBy({ page: [] })],
  ['not every plugin has answered', declaredBy(PLUGINS, { isSettled: false })],
])('says nothing while %s', async (_what, declared) => {
  expect(await new Reporting(declared).lines()).toEqual([]);
});

it('says it again only if the numbers have changed', async () => {
  const reporting = new Reporting(declaredBy(PLUGINS));
  await reporting.lines();
  expect(await reporting.lines()).toEqual([]);
  reporting.prefixes = ['catalog', 'jobs.run'];
  expect(await reporting.lines()).toEqual([
    expect.stringContaining('3 permissions that 2 plugins declare, 1 matches no route'),
    'debug: Declared permissions that no route matches: "jobs.stop"',
  ]);
  const later = [permission('later.read', 'read')];
  reporting.declared = declaredBy({ ...PLUGINS, later });
  expect(await reporting.lines()).toEqual([
    expect.stringContaining('4 permissions that 3 plugins declare, 2 match no route'),
    expect.stringContaining('"later.read"'),
  ]);
});

it('stays of bounded length, on one line, whatever plugins declare', async () => {
  const names = Array.from({ length: 10_001 }, (_, index) =>
    permission(`${index}\n${'x'.repeat(200)}`),
  );
  const reporting = new Reporting(declaredBy({ odd: names }));
  void reporting.lines();
  const debug = await reporting.logs.waitFor('Declared permissions');
  const [info] = reporting.logs.lines;
  expect(info!.message).toContain(
    'Of 10000 permissions that 1 plugin declares (and 1 more, which were not looked at), 10000 match',
  );
  expect(debug.message).not.toContain('\n');
  expect(debug.message).toMatch(/ and 9000 more$/);
  expect(debug.message.length).toBeLessThan(200_000);
});
