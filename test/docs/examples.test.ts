/**
 * The documentation says what the code does: its examples are read by the code, its lists and
 * tables are compared with the code, both ways.
 *
 * A ```yaml block with `policyRouter:`, `sources:` or `routes:` is config. A fragment is completed
 * here: the missing `fallback` is deny; a missing table routes everything to the sources; a
 * source that is named only is an `ownership` source if it is called that, else an OPA server;
 * every hosted one is provided. A ```ts block with the text of a file of test/fixtures/hosting is that file.
 * A block marked ```yaml invalid must be refused. A block that is a file of the commands of its page is
 * read by them instead. A ```rego block without a package gets one.
 */
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Permission } from '@backstage/plugin-permission-common';
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import { parse } from 'yaml';
import type { z } from 'zod';
import { summary } from '../../src/config/summary';
import {
  ALGORITHMS,
  createAccumulator,
  type CombiningAlgorithm,
} from '../../src/combining/algorithms';
import { allOf } from '../../src/conditions/algebra';
import { NOTHING_PROVIDED } from '../../src/config/hosted';
import { readConfig, type ReadConfig } from '../../src/config/read';
import { routeSchema, settingsSchema } from '../../src/config/schema';
import { ConfigError } from '../../src/config/types';
import { KINDS, kindOf } from '../../src/sources/kinds';
import { RoutingTable } from '../../src/routing/table';
import type { Conditions, Verdict } from '../../src/verdict';
import {
  ALLOW,
  DENY,
  NOT_APPLICABLE,
  permission,
  render,
  renderCriteria,
  rule,
  when,
} from '../fixtures/builders';
import { temporaryFolder } from '../support/backend';
import { withoutDigests } from '../support/digest';
import { fileOf, hasCommands } from '../support/documented-commands';
import { describeWithOpa, requireOpa } from '../support/with-opa';

type Json = Record<string, unknown>;

const filesBelow = (folder: string, extension: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(extension))
    .map(name => join(folder, name))
    .sort();

const pages = [
  ...(existsSync('README.md') ? ['README.md'] : []),
  ...filesBelow('docs', '.md'),
];

const read = (path: string): string => readFileSync(path, 'utf8');

interface Block {
  readonly where: string;
  readonly info: string;
  readonly text: string;
}

const blocks: readonly Block[] = pages.flatMap(page => {
  const content = read(page);
  return [...content.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map(match => ({
    where: `${page}:${content.slice(0, match.index).split('\n').length}`,
    info: match[1]!.trim(),
    text: match[2]!,
  }));
});

interface Table {
  /** The text of the heading above it. */
  readonly heading: string;
  readonly columns: readonly string[];
  readonly rows: ReadonlyArray<readonly string[]>;
}

/** The tables of a page; code marks are removed from the cells. */
function tablesOf(page: string): Table[] {
  const tables: Table[] = [];
  let heading = '';
  let lines: string[][] = [];
  const end = (): void => {
    const [columns] = lines;
    if (columns) tables.push({ heading, columns, rows: lines.slice(2) });
    lines = [];
  };
  for (const line of [...read(page).split('\n'), '']) {
    if (line.startsWith('|')) {
      const cells = line.split(/(?<!\\)\|/).slice(1, -1);
      lines.push(cells.map(cell => cell.trim().replace(/[`*]/g, '')));
      continue;
    }
    end();
    const title = /^#+ (.*)/.exec(line)?.[1];
    if (title !== undefined) heading = title.replace(/`/g, '');
  }
  return tables;
}

interface Item {
  /** The text of the heading above it. */
  readonly heading: string;
  /** The code that it begins with: `a`, or `a`, `b`. */
  readonly names: readonly string[];
  readonly text: string;
}

const FENCED = /^```[\s\S]*?^```$/gm;

/** The items of a page's lists that begin with code. */
function itemsOf(page: string): Item[] {
  const items: Item[] = [];
  let heading = '';
  const found = read(page)
    .replace(FENCED, '')
    .matchAll(/^#+ (.*)$|^- ((?:`[^`]+`(?:, )?)+)(.*(?:\n {2}.*)*)/gm);
  for (const [, title, names, text] of found) {
    if (title !== undefined) heading = title.replace(/`/g, '');
    else {
      const code = [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
      items.push({ heading, names: code, text: text!.replace(/\s+/g, ' ') });
    }
  }
  return items;
}

const column = (table: Table, name: string): number => {
  const index = table.columns.indexOf(name);
  if (index === -1) throw new Error(`no column '${name}' under '${table.heading}'`);
  return index;
};

describe('the YAML examples', () => {
  const isConfig = ({ where, info, text }: Block): boolean =>
    /^ya?ml\b/.test(info) &&
    /^\s*(policyRouter|sources|routes):/m.test(text) &&
    !(fileOf(text) !== undefined && hasCommands(where.split(':')[0]!));
  const configs = blocks.filter(isConfig);
  const valid = configs.filter(({ info }) => !info.includes('invalid'));
  const invalid = configs.filter(({ info }) => info.includes('invalid'));

  it('are there', () => {
    expect(valid.length).toBeGreaterThan(0);
  });

  it.each(valid)('$where is accepted, without a warning', async ({ text }) => {
    expect(await readExample(text)).toEqual([]);
  });

  it.each(invalid)(
    '$where is refused with the errors printed on its page',
    async block => {
      const page = read(block.where.split(':')[0]!);
      const error: unknown = await readConfig(policyRouterOf(block.text)).catch(
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(ConfigError);
      expect(page).toContain((error as ConfigError).message);
    },
  );
});

const ENVIRONMENT: Readonly<Record<string, string>> = {
  OPA_URL: 'http://127.0.0.1:8181',
  OPA_TOKEN: 'a-token-of-opa',
};

const PEM: Readonly<Record<string, string>> = {
  ca: 'ca.pem',
  cert: 'client.pem',
  key: 'client.key',
};

/** Does what Backstage does before the router: variables and files. */
function substitute(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{(\w+)\}/g, (_all, name: string) => {
      const known = ENVIRONMENT[name];
      if (known === undefined) throw new Error(`no example value for \${${name}}`);
      return known;
    });
  }
  if (Array.isArray(value)) return value.map(item => substitute(item));
  if (typeof value !== 'object' || value === null) return value;
  if ('$file' in value) return read(join('test/fixtures/tls', PEM[key] ?? ''));
  if ('$include' in value) return { fallback: 'deny' };
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, substitute(item, name)]),
  );
}

function policyRouterOf(text: string): Json {
  const document = substitute(parse(text)) as Json & { permission?: Json };
  return (document.permission?.policyRouter ??
    document.policyRouter ??
    document) as Json;
}

/** Completes a fragment as the head of this file says, and reads it with its warnings. */
async function readExample(text: string): Promise<readonly string[]> {
  const { fallback = 'deny', routes, ...rest } = policyRouterOf(text);
  const sources = { ...(rest.sources as Json | undefined) };
  const used = ((routes ?? []) as Array<{ sources?: string[] }>).flatMap(
    route => route.sources ?? [],
  );
  for (const name of used) {
    if (name === 'allow' || name === 'deny') continue;
    sources[name] ??=
      name === 'ownership'
        ? { type: 'ownership' }
        : { type: 'opa', baseUrl: ENVIRONMENT.OPA_URL, entrypoint: 'example/decision' };
  }
  const everything = [
    {
      prefix: '',
      sources: [...Object.keys(sources), 'deny'],
      combine: 'deny-overrides',
    },
  ];
  const table = { fallback, routes: routes ?? everything };
  const names = Object.keys(sources).filter(
    name => (sources[name] as Json).type === 'hosted',
  );
  const provided = { ...NOTHING_PROVIDED, names };
  if (rest.routingFile === undefined) {
    const raw = { ...rest, sources, ...table };
    return textsOf(await readConfig(raw, undefined, provided));
  }
  const content = { path: 'routing.yaml', content: table };
  return textsOf(await readConfig({ ...rest, sources }, content, provided));
}

const textsOf = ({ warnings }: ReadConfig): string[] =>
  warnings.map(({ text }) => text);

describe('the TypeScript examples', () => {
  const OWN_NAME = (JSON.parse(read('package.json')) as { name: string }).name;

  it.each(filesBelow('test/fixtures/hosting', '.ts'))('have %s, which is run', file => {
    const shown = read(file).replace("'../../../src'", `'${OWN_NAME}'`);
    expect(blocks.map(({ text }) => text)).toContain(shown);
  });
});

describeWithOpa('the Rego examples', () => {
  const policies = blocks.filter(({ info }) => info === 'rego');

  it('are there', () => {
    expect(policies.length).toBeGreaterThan(0);
  });

  it.each(policies)('$where is accepted by opa check', async ({ text }) => {
    const folder = await temporaryFolder();
    const file = join(folder, 'example.rego');
    const head = /^package /m.test(text) ? '' : 'package example\n\nimport rego.v1\n\n';
    await writeFile(file, head + text);
    try {
      await promisify(execFile)(requireOpa(), ['check', '--strict', file]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

const schemaOf = (type: string): z.ZodType => kindOf(type)!.schema;

describe('docs/configuration.md', () => {
  const schemas: Readonly<Record<string, { schema: z.ZodType; needs: Json }>> = {
    'The router: permission.policyRouter': {
      schema: settingsSchema,
      needs: { fallback: 'deny', routes: [{}] },
    },
    // And one of prefix and name, which exclude each other.
    'A route: routes[]': { schema: routeSchema, needs: { sources: ['a'] } },
    'A source of type opa': {
      schema: schemaOf('opa'),
      needs: { type: 'opa', baseUrl: 'http://opa', entrypoint: 'a/b' },
    },
    'A source of type opa-wasm': {
      schema: schemaOf('opa-wasm'),
      needs: { type: 'opa-wasm', bundle: 'b', entrypoint: 'a/b' },
    },
    'A source of type ownership': {
      schema: schemaOf('ownership'),
      needs: { type: 'ownership' },
    },
    'A source of type conditions': {
      schema: schemaOf('conditions'),
      needs: { type: 'conditions', rules: [{ result: 'deny' }] },
    },
    'A source of type hosted': {
      schema: schemaOf('hosted'),
      needs: { type: 'hosted' },
    },
  };
  interface Key {
    readonly key: string;
    /** Such as `duration`, `default 2s`. */
    readonly facts: readonly string[];
  }

  /** - `key` (type, required) or (type, default `value`): what it means. */
  const keysBelow = (title: string): Key[] =>
    items.flatMap(({ heading, names: [key], text }) => {
      const [, facts] = /^ \(([^)]*)\): ./.exec(text) ?? [];
      return heading === title && facts !== undefined
        ? [{ key: key!, facts: facts.replace(/`/g, '').split(', ') }]
        : [];
    });

  const items = itemsOf('docs/configuration.md');
  const headings = Object.keys(schemas);

  it('has one list of keys for each schema', () => {
    const withKeys = items.map(({ heading }) => heading);
    expect(headings.filter(title => !withKeys.includes(title))).toEqual([]);
    expect(headings.length - 2).toBe(KINDS.length);
  });

  it.each(headings)('has every key of "%s", and no other', title => {
    const documented = keysBelow(title).map(({ key }) => key);
    expect(documented.sort()).toEqual(keysOf(schemas[title]!.schema).sort());
  });

  it.each(headings)('says what is required in "%s"', title => {
    const documented = keysBelow(title)
      .filter(({ facts }) => facts.includes('required'))
      .map(({ key }) => key);
    expect(documented.sort()).toEqual(Object.keys(schemas[title]!.needs).sort());
  });

  it.each(headings)('names the defaults of "%s", all of them', title => {
    const { schema, needs } = schemas[title]!;
    const implicit = schema.parse(needs);
    const explicit = structuredClone(needs);
    const documented = keysBelow(title).flatMap(({ key, facts }) => {
      const value = facts.find(fact => fact.startsWith('default '))?.slice(8);
      if (value === undefined) return [];
      const [outer, inner] = key.split('.') as [string, string?];
      if (inner === undefined) explicit[outer] = parse(value) as unknown;
      else
        explicit[outer] = {
          ...(explicit[outer] as Json),
          [inner]: parse(value) as unknown,
        };
      return [key];
    });
    expect(schema.parse(explicit)).toEqual(implicit);
    const inCode = leavesOf(implicit as Json).filter(
      key => !(key.split('.')[0]! in needs),
    );
    expect(documented.sort()).toEqual(inCode.sort());
  });
});

/** The keys of what has a value, those of nested objects with dots. */
const leavesOf = (value: Json): string[] =>
  Object.entries(value).flatMap(([key, inner]) => {
    if (inner === undefined) return [];
    if (typeof inner !== 'object' || inner === null) return [key];
    return leavesOf(inner as Json).map(each => `${key}.${each}`);
  });

interface SchemaDefinition {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly innerType?: z.ZodType;
  readonly valueType?: z.ZodType;
  /** Of a list. */
  readonly element?: z.ZodType;
  /** What a value is checked by once it is prepared. */
  readonly out?: z.ZodType;
}

/** The keys of a schema, those of nested objects with dots. */
function keysOf(schema: z.ZodType): string[] {
  const definition = schema.def as unknown as SchemaDefinition;
  const { shape, innerType = definition.out, valueType, element } = definition;
  if (innerType) return keysOf(innerType);
  if (element) return keysOf(element).map(key => `[].${key}`);
  if (valueType) return keysOf(valueType).map(key => `<type>.${key}`);
  return Object.entries(shape ?? {}).flatMap(([key, value]) => [
    key,
    ...keysOf(value).map(inner => `${key}.${inner}`.replace('.[]', '[]')),
  ]);
}

describe('docs/faults.md', () => {
  const CLASSES = ['unavailable', 'overloaded', 'invalid'];
  const codes = itemsOf('docs/faults.md').filter(({ heading }) =>
    CLASSES.includes(heading),
  );
  const documented = codes.flatMap(({ heading, names }) =>
    names.map(code => `${code} ${heading}`),
  );
  const faults = tablesOf('docs/fault-table.md').filter(
    ({ columns }) => columns[0] === 'an OPA that',
  );
  /** `<code> <class>` of everything that the faults were seen to cause. */
  const seen = new Set(
    faults.flatMap(table =>
      table.rows.flatMap(row => {
        const warning = row[column(table, 'warning in the log')]!;
        const [, failureClass, list] = /^(\w+) \[(.*?)\]/.exec(warning) ?? [];
        return list?.split(' or ').map(code => `${code} ${failureClass}`) ?? [];
      }),
    ),
  );

  it('has every failure code of the source once, below its class, and no other', () => {
    expect([...documented].sort()).toEqual(failuresInSource());
  });

  it('documents every code that the faults were seen to cause', () => {
    const known = new Set(codes.flatMap(({ names }) => names));
    // All other codes are of the HTTP client or of Node.js, and invalid.
    const isOther = (each: string): boolean =>
      each.endsWith(' invalid') && !known.has(each.split(' ')[0]!);
    expect(
      [...seen].filter(each => !documented.includes(each) && !isOther(each)),
    ).toEqual([]);
    expect(seen.size).toBeGreaterThan(20);
  });

  it('tells of no fault that did harm', () => {
    const count = faults.reduce((sum, { rows }) => sum + rows.length, 0);
    expect(read('docs/fault-table.md').replace(/\s+/g, ' ')).toMatch(
      new RegExp(
        ` ${count} rows, \\d+ questions: 0 wrongly allowed, 0 broken batches, 0 decisions past their deadline\\.`,
      ),
    );
  });
});

/** `<code> <class>` of everything the source can report. */
function failuresInSource(): string[] {
  const found = new Set<string>();
  for (const path of filesBelow('src', '.ts')) {
    const text = read(path);
    const called = /failed\(\s*'(unavailable|overloaded|invalid)',\s*'(\w+)'/g;
    for (const [, failureClass, code] of text.matchAll(called))
      found.add(`${code} ${failureClass}`);
    const literal = /class: '(\w+)',\s*code: '(\w+)'/g;
    for (const [, failureClass, code] of text.matchAll(literal))
      found.add(`${code} ${failureClass}`);
  }
  const transport = read('src/sources/opa/transport-failure.ts');
  const unavailable = /new Set\(\[([\s\S]*?)\]\)/.exec(transport)![1]!;
  for (const [, code] of unavailable.matchAll(/'([A-Z_]+)'/g))
    found.add(`${code} unavailable`);
  // A lost connection; the same code is invalid where it is not one.
  const lost = /code !== '(\w+)'/.exec(transport)![1]!;
  found.add(`${lost} unavailable`).add(`${lost} invalid`);
  const opa = read('src/sources/opa/source.ts');
  const http = /function httpFailure[\s\S]*?^}/m.exec(opa)![0];
  const [gateway, rest] = http.split("failed('unavailable'");
  for (const [, status] of gateway!.matchAll(/statusCode === (\d+)/g))
    found.add(`HTTP_${status} unavailable`);
  for (const [, status, failureClass] of rest!.matchAll(
    /statusCode === (\d+) \? '(\w+)'/g,
  ))
    found.add(`HTTP_${status} ${failureClass}`);
  found.add('HTTP_<status> invalid');
  return [...found].sort();
}

describe('docs/combining.md', () => {
  const verdicts: Readonly<Record<string, (condition: string) => Verdict>> = {
    ALLOW: () => ALLOW,
    DENY: () => DENY,
    CONDITIONAL: condition => when(rule(condition)),
    NOT_APPLICABLE: () => NOT_APPLICABLE,
  };
  const verdict = (cell: string): Verdict => {
    const [kind, condition = ''] = cell.split(' ') as [string, string?];
    return verdicts[kind]!(condition);
  };
  const all = tablesOf('docs/combining.md');
  const tables = all.filter(({ columns }) => columns[0]!.startsWith('first'));

  it('has a truth table for each algorithm', () => {
    expect(tables.map(({ heading }) => heading)).toEqual([...ALGORITHMS]);
  });

  it.each(tables)('says of $heading what the accumulator does', table => {
    const algorithm = ALGORITHMS.find(each => each === table.heading)!;
    const [, ...seconds] = table.columns;
    const computed = table.rows.map(([first]) => [
      first,
      ...seconds.map(second => {
        const accumulator = createAccumulator(algorithm, () => undefined);
        accumulator.add(verdict(first!));
        accumulator.add(verdict(second));
        const result = accumulator.result();
        return result === undefined ? 'default' : render(result);
      }),
    ]);
    expect(table.rows).toEqual(computed);
    const kinds = (cells: readonly string[]): string[] =>
      cells.map(cell => cell.split(' ')[0]!);
    expect(kinds(seconds)).toEqual(Object.keys(verdicts));
    expect(kinds(table.rows.map(row => row[0]!))).toEqual(Object.keys(verdicts));
  });

  /** A verdict by its kind, or a condition by its formula. */
  const worked = (cell: string): Verdict =>
    cell === 'FAILED'
      ? { kind: 'DENY', reason: 'failed', failure: FAILURE }
      : cell in verdicts
        ? verdict(cell)
        : when(parseCriteria(cell));

  const laws = all.filter(({ columns }) => columns[1] === 'verdicts');

  it('works an example of each law', () => {
    const headings = [...read('docs/combining.md').matchAll(/^### \d\. (.*)$/gm)];
    expect(laws.map(({ heading }) => heading)).toEqual(
      headings.map(([line]) => line.slice(4)),
    );
    expect(laws.length).toBeGreaterThan(0);
  });

  it.each(laws)('combines as $heading says', ({ rows }) => {
    const computed = rows.map(([algorithm, list]) => {
      const accumulator = createAccumulator(
        algorithm as CombiningAlgorithm,
        () => undefined,
      );
      for (const each of list!.split('; ')) accumulator.add(worked(each));
      const result = accumulator.result();
      return [algorithm, list, result === undefined ? 'default' : render(result)];
    });
    expect(rows).toEqual(computed);
  });

  it('simplifies as the algebra says', () => {
    const algebra = all.find(({ columns }) => columns[2] === 'become')!;
    const computed = algebra.rows.map(([rule, conditions]) => {
      const normal = allOf([parseCriteria(conditions!)]);
      return [rule, conditions, normal ? renderCriteria(normal) : 'DENY'];
    });
    expect(algebra.rows).toEqual(computed);
  });
});

const FAILURE = { class: 'invalid', code: 'THREW', message: 'broken' } as const;

/** The reverse of `renderCriteria`: `allOf(a, not(b))`. */
function parseCriteria(text: string): Conditions {
  const [, connective, inside] = /^(allOf|anyOf|not)\((.*)\)$/.exec(text) ?? [];
  if (connective === undefined) return rule(text);
  const children = splitOutside(inside!).map(parseCriteria);
  return (connective === 'not'
    ? { not: children[0] }
    : { [connective]: children }) as unknown as Conditions;
}

/** At the commas that are in no parentheses. */
function splitOutside(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text.replace(/, /g, ',')) {
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
    depth += character === '(' ? 1 : character === ')' ? -1 : 0;
  }
  return parts;
}

async function committedConfig(): Promise<ReadConfig> {
  const path = 'config/routing.yaml';
  const settings = policyRouterOf(read('config/app-config.yaml'));
  return readConfig(settings, { path, content: parse(read(path)) });
}

const startLine = (config: ReadConfig): string =>
  withoutDigests(`The policy router is the permission policy: ${summary(config)}\n`);

describe('the start line', () => {
  it.each(['docs/install.md', 'docs/log.md'])(
    'in %s is that of config/routing.yaml',
    async page => {
      expect(withoutDigests(read(page))).toContain(startLine(await committedConfig()));
    },
  );

  it('in README.md is that of the config above it', async () => {
    const { text } = blocks.find(
      ({ where, info }) => where.startsWith('README.md') && info === 'yaml',
    )!;
    const config = await readConfig(policyRouterOf(text));
    expect(config.warnings).toEqual([]);
    expect(withoutDigests(read('README.md'))).toContain(startLine(config));
  });
});

describe('docs/routing.md', () => {
  const worked = tablesOf('docs/routing.md').find(
    ({ columns }) => columns[0] === 'permission',
  )!;

  it('routes as config/routing.yaml does', async () => {
    const { config } = await committedConfig();
    const table = new RoutingTable(config.routes);
    const computed = worked.rows.map(([name, type, action]) => {
      const asked = permission(name!, {
        action: action === 'none' ? undefined : action,
        resourceType: type === 'basic' ? undefined : type,
      });
      const route = table.match(asked);
      return [
        name,
        type,
        action,
        route?.label ?? 'fallback',
        route?.sources.join(', ') ?? '',
      ];
    });
    expect(worked.rows).toEqual(computed);
  });

  it('routes odd names as the table above them does', async () => {
    const examples = tablesOf('docs/routing.md').find(
      ({ columns }) => columns[0] === 'asked',
    )!;
    const { text } = blocks.find(
      each => each.where.startsWith('docs/routing.md') && each.text.includes('name: '),
    )!;
    const { config } = await readConfig({
      ...(parse(text) as object),
      sources: { opa: { type: 'ownership' } },
    });
    const table = new RoutingTable(config.routes);
    const computed = examples.rows.map(([name, action]) => [
      name,
      action,
      table.match(permission(name!, { action }))?.label ?? 'fallback',
    ]);
    expect(examples.rows).toEqual(computed);
    expect(computed.length).toBeGreaterThan(5);
  });

  it('lists the permissions of the catalog as they are', () => {
    const published = (catalogPermissions as readonly Permission[]).map(each => [
      each.name,
      each.type === 'resource' ? each.resourceType : 'basic',
      each.attributes.action ?? 'none',
    ]);
    const listed = worked.rows
      .map(row => row.slice(0, 3))
      .filter(([name]) => name!.startsWith('catalog.'));
    expect([...listed].sort()).toEqual([...published].sort());
  });
});

describe('docs/dependencies.md', () => {
  it.each([
    ['Of the backend', 'peerDependencies'],
    ['Runtime', 'dependencies'],
    ['Development', 'devDependencies'],
  ])('%s has what package.json names, and no other', (heading, key) => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Json>;
    const peers = Object.keys(manifest.peerDependencies!);
    // For development, the peers are dev dependencies too, at one version.
    const named = Object.keys(manifest[key]!).filter(
      name => key === 'peerDependencies' || !peers.includes(name),
    );
    const listed = itemsOf('docs/dependencies.md').flatMap(item =>
      item.heading === heading ? item.names : [],
    );
    expect(listed.sort()).toEqual(named.sort());
  });
});

interface Link {
  readonly page: string;
  readonly target: string;
}

/** What this finds in the text of the pages, code blocks apart. */
const inPages = (pattern: RegExp): Link[] =>
  pages.flatMap(page =>
    [...read(page).replace(FENCED, '').matchAll(pattern)].map(([, target]) => ({
      page,
      target: target!,
    })),
  );

/** The anchors of a page: GitHub and MkDocs must agree on them. */
function anchorsOf(page: string): string[] {
  const titles = [
    ...read(page)
      .replace(FENCED, '')
      .matchAll(/^#+ (.*)$/gm),
  ];
  return titles.flatMap(([, title]) => {
    const words = title!.toLowerCase().replace(/[^\w\s-]/g, '');
    const github = words.replace(/ /g, '-');
    return github === words.replace(/[-\s]+/g, '-') ? [github] : [];
  });
}

describe('every link', () => {
  const links = inPages(/\]\(((?!https?:)[^)\s]+)\)/g);

  it.each(links)('$target in $page leads somewhere', ({ page, target }) => {
    const [path, anchor] = target.split('#') as [string, string?];
    const file = path === '' ? page : join(page, '..', path);
    expect(existsSync(file)).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(file)).toContain(anchor);
  });

  // MkDocs publishes docs/ alone.
  it.each(links.filter(({ page }) => page.startsWith('docs')))(
    '$target in $page is a page of docs/',
    ({ page, target }) => {
      const file = join(page, '..', target.split('#')[0]!);
      expect(target.startsWith('#') ? page : file).toMatch(/^docs\/.*\.(md|svg|yaml)$/);
    },
  );

  it('to each page of docs/ is in docs/index.md', () => {
    const listed = links
      .filter(({ page }) => page === 'docs/index.md')
      .map(({ target }) => join('docs', target));
    const others = filesBelow('docs', '.md').filter(page => page !== 'docs/index.md');
    expect(listed.sort()).toEqual(others);
  });
});

describe('every file named', () => {
  const named = inPages(/`((?:src|test|config|dev)\/[\w./-]*)`/g);

  it.each(named)('$target in $page exists', ({ target }) => {
    expect(existsSync(target)).toBe(true);
  });
});
