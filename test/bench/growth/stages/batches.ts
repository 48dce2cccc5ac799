/** What it costs to decide all items of one batch, as the permission backend asks them: at once. */
import { startRouter } from '../../../support/router';
import type { Prepared, Stage } from '../stage';
import { RESOURCE_TYPE } from './conditions';
import { BUNDLE, userOf } from './groups';
import { SILENT } from './silent-log';

const ITEMS = [1, 10, 100, 500, 1500];

const GROUPS_OF_THE_USER = 500;

const query = (name: string) => ({
  permission: {
    type: 'resource' as const,
    name,
    attributes: { action: 'read' as const },
    resourceType: RESOURCE_TYPE,
  },
});

const THE_SAME = (_index: number): string => 'catalog.entity.read';
const ANOTHER = (index: number): string => `catalog.entity.read.${index}`;

const SUBJECT = 'decisions of a batch';

const stage = (
  id: string,
  title: string,
  source: string,
  expected: 'ALLOW' | 'CONDITIONAL' | 'DENY',
  nameOf = THE_SAME,
): Stage => ({
  id,
  title,
  subject: SUBJECT,
  sizes: ITEMS,
  holds: true,
  prepare: size => batch(source, expected, size, nameOf),
});

async function batch(
  source: string,
  expected: string,
  size: number,
  nameOf: (index: number) => string,
): Promise<Prepared> {
  const router = await startRouter(
    {
      fallback: 'deny',
      deadline: '60s',
      sources: {
        ownership: { type: 'ownership' },
        wasm: { type: 'opa-wasm', ...BUNDLE },
      },
      routes: [{ prefix: 'catalog', sources: [source] }],
    },
    { logger: SILENT },
  );
  const user = userOf(GROUPS_OF_THE_USER);
  return {
    next: () => () =>
      Promise.all(
        Array.from({ length: size }, (_, index) =>
          router.decide(query(nameOf(index)), user),
        ),
      ),
    isRight: decisions =>
      (decisions as Array<{ result: string }>).every(
        ({ result }) => result === expected,
      ),
    close: () => router.close(),
  };
}

export const batchStages: readonly Stage[] = [
  stage('batch-allow', 'all allowed', 'allow', 'ALLOW'),
  stage('batch-ownership', 'by ownership', 'ownership', 'CONDITIONAL'),
  stage('batch-wasm', 'by Wasm', 'wasm', 'CONDITIONAL'),
  stage('batch-different', 'different ones by Wasm', 'wasm', 'DENY', ANOTHER),
];
