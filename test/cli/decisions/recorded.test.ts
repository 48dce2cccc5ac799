import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Decisions,
  type Recorded,
  type Skipped,
} from '../../../src/cli/decisions/recorded';

const folder = mkdtempSync(join(tmpdir(), 'policy-router-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FIELDS = {
  at: '2027-01-31T12:04:31.000Z',
  user: 'user:default/nolan',
  permission: { name: 'a.b', type: 'basic', action: 'delete' },
  result: 'DENY',
  route: "'*'",
  reason: 'the Rego policy says DENY',
  sources: [{ source: 'opa', verdict: 'DENY', decisionId: 'x' }],
};
const META = { schemaVersion: 1, ...FIELDS };
const EVENT = {
  isAuditEvent: true,
  plugin: 'permission',
  eventId: 'decision',
  meta: META,
  status: 'succeeded',
};
/** As the API has it. */
const DECISION = { ...FIELDS, number: 7, outage: false };

async function read(
  ...texts: string[]
): Promise<{ names: string[]; all: Recorded[]; skipped: Partial<Skipped> }> {
  const paths = texts.map((text, index) => {
    const path = join(folder, `${index}.log`);
    writeFileSync(path, text);
    return path;
  });
  const decisions = new Decisions(paths);
  const all: Recorded[] = [];
  for await (const each of decisions.all()) all.push(each);
  const skipped = Object.entries(decisions.skipped).filter(([, count]) => count > 0);
  return {
    names: all.map(({ permission }) => permission.name),
    all,
    skipped: Object.fromEntries(skipped),
  };
}

const named = (name: string) => ({ ...META, permission: { name, type: 'basic' } });
const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
const indented = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

it.each([
  ['a line of the log', line(EVENT)],
  ['with the line ends of Windows', line(EVENT).replace('\n', '\r\n')],
  ['without a last line end', line(EVENT).trimEnd()],
  ['the content of an event', line(META)],
  ['the content of an event, indented by jq', indented(META)],
  ['a list of the API', indented({ replica: 'a', decisions: [DECISION] })],
  ['a list of the API in a line', line({ replica: 'a', decisions: [DECISION] })],
  ['one decision of the API', indented({ replica: 'a', decision: DECISION })],
  ['several events in a list', indented([EVENT])],
])('reads %s', async (_what, text) => {
  const { names, skipped } = await read(text);
  expect(names).toEqual(['a.b']);
  expect(skipped).toEqual({});
});

it('reads them in their order, from several files, among other lines', async () => {
  const { names, skipped } = await read(
    `Loaded config\n\n${line(named('a'))}{"level":"info"}\n{ not json\n${line(named('b'))}`,
    indented({ replica: 'a', decisions: [named('c'), named('d')] }) + line(named('e')),
  );
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(skipped).toEqual({ otherLines: 3 });
});

it.each([
  ['of another plugin', { ...EVENT, plugin: 'catalog' }, 'otherLines'],
  ['that is no audit event', { ...EVENT, isAuditEvent: 'true' }, 'otherLines'],
  ['of a decision in the log', { level: 'debug', decision: DECISION }, 'otherLines'],
  ['of an outage', { ...EVENT, eventId: 'outage' }, 'otherEvents'],
  ['of a changed table', { schemaVersion: 1, previous: 'a', next: 'b' }, 'otherEvents'],
  ['without a permission', { ...META, permission: undefined }, 'unreadable'],
  ['with another result', { ...META, result: 'MAYBE' }, 'unreadable'],
])('skips a line %s', async (_what, value, counted) => {
  const { names, skipped } = await read(line(value));
  expect(names).toEqual([]);
  expect(skipped).toEqual({ [counted]: 1 });
});

it('does not count an event that Backstage logs twice', async () => {
  const begins = { ...EVENT, status: 'initiated', meta: undefined };
  const { names, skipped } = await read(line(begins) + line(EVENT));
  expect([names, skipped]).toEqual([['a.b'], {}]);
});

it('loses no line to a bracket that stands alone', async () => {
  const { names } = await read(
    `{\n${line(EVENT)}}\n${line(named('b'))}{\n${line(named('c'))}`,
  );
  expect(names).toEqual(['a.b', 'b', 'c']);
});

it('reads a line that is longer than what is read at once', async () => {
  const { all } = await read(
    line({ ...EVENT, meta: { ...META, refs: ['ü'.repeat(200_000)] } }),
  );
  expect(all[0]?.refs).toEqual(['ü'.repeat(200_000)]);
});

it('says why a file cannot be read', async () => {
  const decisions = new Decisions([folder]);
  await expect(decisions.all().next()).rejects.toThrow(
    `${folder} cannot be read: EISDIR`,
  );
});
