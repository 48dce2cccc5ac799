/** What a route costs that asks several sources, one after the other. */
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { excessOf } from '../../../../src/conditions/size';
import { createAccumulator } from '../../../../src/combining/algorithms';
import type { Conditional } from '../../../../src/verdict';
import { published } from '../../../support/rule-directory';
import { startRouter } from '../../../support/router';
import type { Prepared, Stage } from '../stage';
import { flatConditions, RESOURCE_TYPE } from './conditions';
import { SILENT } from './silent-log';

const SOURCES = [1, 2, 4, 8, 16, 32, 64];

const GROUP = 'group:default/payments';

const QUERY = {
  permission: {
    type: 'resource',
    name: 'catalog.entity.read',
    attributes: {},
    resourceType: RESOURCE_TYPE,
  },
} as const;

const USER: PolicyQueryUser = {
  credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
  info: { userEntityRef: 'user:default/dana', ownershipEntityRefs: [GROUP] },
};

const SUBJECT = 'sources of a route';

const stage = (
  id: string,
  title: string,
  prepare: (size: number) => Prepared | Promise<Prepared>,
  sizes = SOURCES,
): Stage => ({ id, title, subject: SUBJECT, sizes, prepare });

/** A whole decision; each source has an owner rule of its own, so that nothing is the same. */
const asking =
  (expected: 'ALLOW' | 'CONDITIONAL') =>
  async (size: number): Promise<Prepared> => {
    const names = Array.from({ length: size }, (_, index) => `team-${index}`);
    const sourceOf = (name: string): object => ({
      type: 'ownership',
      ...(expected === 'ALLOW' ? { bypass: [GROUP] } : {}),
      resources: {
        [RESOURCE_TYPE]: {
          pluginId: 'catalog',
          rule: `OWNED_BY_${name}`,
          param: 'claims',
        },
      },
    });
    const rules = names.map(name => ({
      name: `OWNED_BY_${name}`,
      resourceType: RESOURCE_TYPE,
      paramsSchema: { type: 'object' },
    }));
    const router = await startRouter(
      {
        fallback: 'deny',
        sources: Object.fromEntries(names.map(name => [name, sourceOf(name)])),
        routes: [{ prefix: 'catalog', sources: names }],
      },
      { logger: SILENT, readRules: () => Promise.resolve(published(...rules)) },
    );
    // The first decision waits for the rules.
    await router.decide(QUERY, USER);
    return {
      next: () => () => router.decide(QUERY, USER),
      isRight: decision => (decision as { result: string }).result === expected,
      close: () => router.close(),
    };
  };

const combining =
  (nodes: number) =>
  (size: number): Prepared => ({
    next() {
      const verdicts = Array.from({ length: size }, (_, index): Conditional => ({
        kind: 'CONDITIONAL',
        reason: 'allowed to some',
        pluginId: 'catalog',
        resourceType: RESOURCE_TYPE,
        conditions: flatConditions(nodes, `source-${index}`),
      }));
      return () => {
        const accumulator = createAccumulator('deny-overrides', excessOf(65_536));
        for (const verdict of verdicts) {
          if (accumulator.settled) break;
          accumulator.add(verdict);
        }
        return accumulator.result();
      };
    },
    isRight: verdict => verdict !== undefined,
  });

export const sourceStages: readonly Stage[] = [
  stage('ask-allow', 'ask sources that allow', asking('ALLOW')),
  stage('ask-conditional', 'ask conditional sources', asking('CONDITIONAL')),
  stage('combine', 'combine conditions of 6 rules', combining(7), SOURCES.slice(1)),
  stage(
    'combine-large',
    'combine conditions of 330 rules',
    combining(331),
    SOURCES.slice(1),
  ),
];
