/** What it costs to refuse a table, the error message included. */
import { readConfig } from '../../../../src/config/read';
import type { Stage } from '../stage';

const ROUTES = [10, 30, 100, 300, 1000, 10_000, 100_000];

const SUBJECT = 'routes of a refused table';

const refusing = (
  id: string,
  title: string,
  routeOf: (index: number) => object,
): Stage => ({
  id,
  title,
  subject: SUBJECT,
  sizes: ROUTES,
  holds: true,
  prepare(size) {
    const raw = {
      fallback: 'deny',
      sources: SOURCES,
      routes: Array.from({ length: size }, (_, index) => routeOf(index)),
    };
    return {
      next: () => () => messageOf(raw),
      isRight: message => typeof message === 'string' && message.length > 0,
    };
  },
});

/** An error about an unknown source names those that are known. */
const SOURCES = Object.fromEntries(
  Array.from({ length: 20 }, (_, index) => [`team-${index}`, { type: 'ownership' }]),
);

async function messageOf(raw: object): Promise<string | undefined> {
  try {
    await Promise.resolve(readConfig(raw));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export const refusedTableStages: readonly Stage[] = [
  refusing('refuse-copies', 'copies of one route', () => ({
    prefix: 'plugin.thing',
    sources: ['allow'],
  })),
  refusing('refuse-unknown-source', 'a source that is gone', index => ({
    prefix: `plugin.thing-${index}`,
    sources: ['gone'],
  })),
  refusing('refuse-unknown-key', 'a wrong key in each', index => ({
    prefix: `plugin.thing-${index}`,
    sources: ['allow'],
    acions: ['read'],
  })),
];
