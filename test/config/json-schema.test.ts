/** The JSON Schemas that are shipped in config/, and what they accept. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { SCHEMAS } from '../../dev/write-schemas';
import { routingJsonSchema } from '../../src/config/json-schema';
import { isJsonObject } from '../../src/lib/json-object';
import { routeSchema } from '../../src/config/schema';
import { fileOf, hasCommands } from '../support/documented-commands';

const ajv = new Ajv({ strict: true, strictTypes: true, allErrors: true });
const validate = ajv.compile(routingJsonSchema());

const read = (path: string): string => readFileSync(path, 'utf8');

/** The messages, with their places. */
function problems(content: unknown): string[] {
  validate(content);
  return (validate.errors ?? []).map(
    ({ instancePath, message }) => `${instancePath}: ${message}`,
  );
}

describe.each(Object.keys(SCHEMAS))('config/%s', name => {
  const schema = SCHEMAS[name]!();

  it('is what the code makes; if not, run: npx tsx dev/write-schemas.ts', () => {
    expect(JSON.parse(read(join('config', name)))).toEqual(
      JSON.parse(JSON.stringify(schema)),
    );
  });

  it('is a clean schema of draft 7', () => {
    expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
    expect(() =>
      new Ajv({ strict: true, strictTypes: true }).compile(schema),
    ).not.toThrow();
  });

  it('has a description of every key', () => {
    expect(undescribed(schema)).toEqual([]);
  });
});

/** The places of keys without a description. */
function undescribed(node: unknown, path = ''): string[] {
  if (Array.isArray(node)) {
    return node.flatMap((each, index) => undescribed(each, `${path}[${index}]`));
  }
  if (!isJsonObject(node)) return [];
  const keys = isJsonObject(node.properties) && node.type === 'object';
  return Object.entries(node).flatMap(([key, child]) => {
    const place = `${path}/${key}`;
    if (key !== 'properties' || !keys) return undescribed(child, place);
    return Object.entries(child as object).flatMap(([property, value]) => [
      ...(isJsonObject(value) && typeof value.description !== 'string'
        ? [`${place}/${property}`]
        : []),
      ...undescribed(value, `${place}/${property}`),
    ]);
  });
}

it('knows every key of a route', () => {
  const { routes } = routingJsonSchema().properties as {
    routes: { items: { properties: object } };
  };
  expect(Object.keys(routes.items.properties)).toEqual(Object.keys(routeSchema.shape));
});

/** The routing table in a YAML document of a page or file, if there is one. */
function tableIn(document: unknown): unknown {
  if (!isJsonObject(document)) return undefined;
  const { permission } = document;
  if (isJsonObject(permission)) return tableIn(permission.policyRouter);
  if (!Array.isArray(document.routes)) return undefined;
  return { fallback: document.fallback ?? 'deny', routes: document.routes };
}

const pages = [
  'README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => join('docs', name)),
];

const documented = pages.flatMap(page =>
  [...read(page).matchAll(/^ *```yaml\n([\s\S]*?)^ *```$/gm)].flatMap(match => {
    // The commands of the page read it, and some of these files have mistakes.
    if (fileOf(match[1]!) !== undefined && hasCommands(page)) return [];
    const line = read(page).slice(0, match.index).split('\n').length;
    return parseAllDocuments(match[1]!)
      .map(document => tableIn(document.toJS()))
      .filter(table => table !== undefined)
      .map(table => [`${page}:${line}`, table] as const);
  }),
);

it('finds tables in the pages', () => {
  expect(documented.length).toBeGreaterThan(20);
});

it.each(documented)('accepts the table of %s', (_place, table) => {
  expect(problems(table)).toEqual([]);
});

const shipped = readdirSync('config')
  .filter(name => name.endsWith('.yaml'))
  .map(name => join('config', name))
  .filter(
    path =>
      isJsonObject(parse(read(path))) && 'routes' in (parse(read(path)) as object),
  );

it('finds the shipped tables', () => {
  expect(shipped).toContain('config/routing.yaml');
  expect(shipped).toContain('config/least-privilege.yaml');
});

describe.each(shipped)('%s', path => {
  it('is accepted', () => {
    expect(problems(parse(read(path)))).toEqual([]);
  });

  it('names the schema in its first line', () => {
    expect(read(path).split('\n')[0]).toBe(
      '# yaml-language-server: $schema=./routing.schema.json',
    );
  });
});

const ROUTE = { prefix: 'catalog', sources: ['opa'] };
const withRoute = (changes: object) => ({
  fallback: 'deny',
  routes: [{ ...ROUTE, ...changes }],
});

it.each([
  ['nothing', null],
  ['a list', []],
  ['no fallback', { routes: [ROUTE] }],
  ['a misspelt fallback', { fallback: 'allowed', routes: [ROUTE] }],
  ['no routes', { fallback: 'deny' }],
  ['an empty table', { fallback: 'deny', routes: [] }],
  ['an unknown key', { fallback: 'deny', routes: [ROUTE], route: [] }],
  ['a key of app-config', { fallback: 'deny', routes: [ROUTE], sources: {} }],
  ['an unknown key of a route', withRoute({ source: 'opa' })],
  ['both prefix and name', withRoute({ name: 'catalog' })],
  ['neither prefix nor name', { fallback: 'deny', routes: [{ sources: ['opa'] }] }],
  ['no sources', withRoute({ sources: [] })],
  ['the same source twice', withRoute({ sources: ['opa', 'opa'] })],
  ['sources that are not a list', withRoute({ sources: 'opa' })],
  ['an unknown action', withRoute({ actions: ['write'] })],
  ['a resource type with white space', withRoute({ resourceTypes: ['a b'] })],
  ['an unknown algorithm', withRoute({ combine: 'all' })],
  ['a pattern as prefix', withRoute({ prefix: 'catalog.*.read' })],
])('refuses %s', (_what, content) => {
  expect(problems(content)).not.toEqual([]);
});
