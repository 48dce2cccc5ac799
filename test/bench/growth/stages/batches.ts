/** What it costs to decide all items of one batch, as the permission backend asks them: at once. */
import { startRouter } from '../../../support/router';
import type { Prepared, Stage } from '../stage';
import { RESOURCE_TYPE } from './conditions';
import { BUNDLE, userOf } from './groups';
import { SILENT } from './silent-log';

const ITEMS = [1, 10, 100, 500, 1500];

const GROUPS_OF_THE_USER = 500;

const permission = {
  type: 'resource',
  name: 'catalog.entity.read',
  attributes: { action: 'read' },
  resourceType: RESOURCE_TYPE,
} as const;

const SUBJECT = 'decisions of a batch';

const stage = (
  id: string,
  title: string,
  source: string,
  expected: 'ALLOW' | 'CONDITIONAL',
): Stage => ({
  id,
  title,
  subject: SUBJECT,
  sizes: ITEMS,
  holds: true,
  prepare: size => batch(source, expected, size),
});

async function batch(
  source: string,
  expected: string,
  size: number,
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
        Array.from({ length: size }, () => router.decide({ permission }, user)),
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
];
