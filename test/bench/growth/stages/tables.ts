/** What happens to a valid table when it is read, and what it costs afterwards. */
import { Turns } from '../../../../src/lib/turns';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readConfig, type ReadConfig } from '../../../../src/config/read';
import { readRoutingFile } from '../../../../src/config/routing-file';
import { summary } from '../../../../src/config/summary';
import type { Route } from '../../../../src/config/types';
import { ProvidedPolicies } from '../../../../src/hosting/provided-policies';
import { equal } from '../../../../src/lib/equal';
import { Slices } from '../../../../src/lib/slices';
import {
  findCoverageGaps,
  type CoverageFinding,
} from '../../../../src/routing/coverage';
import { RoutingTable } from '../../../../src/routing/table';
import { findTies } from '../../../../src/routing/ties';
import { Snapshot } from '../../../../src/snapshot';
import { directoryOf } from '../../../support/rule-directory';
import type { Prepared, Stage } from '../stage';
import { SILENT } from './silent-log';

const ROUTES = [10, 100, 1000, 10_000, 100_000];
/** A routing file has at most a million characters. */
const ROUTES_OF_A_FILE = [10, 30, 100, 300, 1000, 3000, 10_000];

type Shape = (index: number) => object;

/** Ten plugins with many kinds of things, as a large company might list them. */
const prefixOf = (index: number): string => `plugin-${index % 10}.thing-${index}`;

/** One route for each prefix, which fits all its permissions. */
const plain: Shape = index => ({ prefix: prefixOf(index), sources: ['allow'] });

/** Prefixes whose routes all have constraints: each of them is worth a warning. */
const constrained: Shape = index => ({ ...plain(index), actions: ['read'] });

/** One prefix with a route for each resource type. */
const onePrefix: Shape = index => ({
  prefix: 'plugin.thing',
  resourceTypes: [`type-${index}`],
  sources: ['allow'],
});

/** Each prefix is an extension of the one before, in chains of twenty. */
const nested: Shape = index => ({
  prefix: [
    `plugin-${Math.floor(index / 20)}`,
    ...Array.from({ length: index % 20 }, (_, level) => `level-${level}`),
  ].join('.'),
  actions: ['read'],
  sources: ['allow'],
});

const tableOf = (shape: Shape, size: number): object => ({
  fallback: 'deny',
  sources: { ownership: { type: 'ownership' } },
  routes: [
    { prefix: '', actions: ['read'], sources: ['ownership'] },
    ...Array.from({ length: size - 1 }, (_, index) => shape(index)),
  ],
});

const read = (shape: Shape, size: number): Promise<ReadConfig> =>
  Promise.resolve(readConfig(tableOf(shape, size)));

/** Routes as they are after reading, without reading them: that may take long. */
const routesOf = (shape: Shape, size: number): Route[] =>
  Array.from({ length: size }, (_, index) => {
    const { prefix, ...rest } = shape(index) as { prefix: string };
    return {
      combine: 'deny-overrides',
      default: 'deny',
      onUnavailable: undefined,
      sources: ['allow'],
      ...rest,
      segments: prefix.split('.'),
      label: `'${prefix}'`,
      index,
    };
  });

const SUBJECT = 'routes of a table';

const stage = (
  id: string,
  title: string,
  prepare: (size: number) => Prepared | Promise<Prepared>,
  more: Partial<Stage> = {},
): Stage => ({ id, title, subject: SUBJECT, sizes: ROUTES, prepare, ...more });

const reading = (shape: Shape) => (size: number) => {
  const raw = tableOf(shape, size);
  return {
    next: () => () => readConfig(raw),
    isRight: (result: unknown) => (result as ReadConfig).config.routes.length === size,
  };
};

const ties = (shape: Shape) => (size: number) => {
  const routes = routesOf(shape, size);
  return {
    next: () => () => findTies(routes, new Slices()),
    isRight: (result: unknown) => (result as unknown[]).length === 0,
  };
};

const coverage = (shape: Shape, hasGaps: boolean) => (size: number) => {
  const routes = routesOf(shape, size);
  return {
    next: () => async () => {
      const gaps: CoverageFinding[] = [];
      const add = (gap: CoverageFinding): void => void gaps.push(gap);
      const openness = { isOpen: () => true, isFallbackOpen: true };
      await findCoverageGaps(routes, openness, add, new Slices());
      return gaps;
    },
    isRight: (result: unknown) => (result as unknown[]).length > 0 === hasGaps,
  };
};

export const tableStages: readonly Stage[] = [
  stage('file', 'parse the routing file', parsing, {
    sizes: ROUTES_OF_A_FILE,
    holds: true,
  }),
  stage('read', 'read the config', reading(plain), { holds: true }),
  stage('read-constrained', 'read, all constrained', reading(constrained), {
    holds: true,
  }),
  stage('read-one-prefix', 'read, one prefix', reading(onePrefix), { holds: true }),
  stage('ties', 'find ties', ties(plain)),
  stage('ties-one-prefix', 'find ties, one prefix', ties(onePrefix)),
  stage('coverage', 'find gaps', coverage(plain, false)),
  stage(
    'coverage-constrained',
    'find gaps, all constrained',
    coverage(constrained, true),
  ),
  stage('coverage-nested', 'find gaps, nested', coverage(nested, true)),
  stage('coverage-one-prefix', 'find gaps, one prefix', coverage(onePrefix, true)),
  stage('compare', 'compare with the last config', async size => {
    const config = await read(plain, size);
    const other = await read(plain, size);
    return {
      next: () => () => equal(config, other, new Slices()),
      isRight: result => result === true,
    };
  }),
  stage('table', 'build the table', size => {
    const routes = routesOf(plain, size);
    return {
      next: () => () => new RoutingTable(routes),
      isRight: result => result instanceof RoutingTable,
    };
  }),
  stage(
    'snapshot',
    'build the snapshot',
    async size => {
      const { config } = await read(plain, size);
      const services = {
        logger: SILENT,
        ruleDirectory: directoryOf(),
        turns: new Turns(),
        policies: new ProvidedPolicies(),
      };
      return {
        next: () => () => Snapshot.build(config, services),
        isRight: result => result instanceof Snapshot,
      };
    },
    { holds: true },
  ),
  stage('summary', 'summarize for the log', async size => {
    const table = await read(plain, size);
    return {
      next: () => () => summary(table),
      isRight: result => (result as string).startsWith(`${size} routes`),
    };
  }),
  stage('match', 'match one permission', size => {
    const table = new RoutingTable(routesOf(plain, size));
    let turn = 0;
    return {
      next() {
        const name = `${prefixOf((turn++ * 7919) % size)}.part.read`;
        return () => table.match({ type: 'basic', name, attributes: {} });
      },
      isRight: result => result !== undefined,
    };
  }),
];

function parsing(size: number): Prepared {
  const folder = mkdtempSync(join(tmpdir(), 'policy-router-growth-'));
  const file = join(folder, 'routing.yaml');
  const { fallback, routes } = tableOf(plain, size) as Record<string, unknown>;
  const text = stringify({ fallback, routes });
  let turn = 0;
  return {
    next() {
      // A text that is known already need not be parsed.
      writeFileSync(file, `${text}# ${turn++}\n`);
      return () => readRoutingFile(file);
    },
    isRight: result => (result as { routes: unknown[] }).routes.length === size,
    close: () => rmSync(folder, { recursive: true }),
  };
}
