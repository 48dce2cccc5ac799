/** What `POST explain` answers is what Backstage answers. */
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import { isResourcePermission } from '@backstage/plugin-permission-common';
import type { Entity } from '@backstage/catalog-model';
import type { JsonObject } from '@backstage/types';
import { generateEntities } from '../../fixtures/catalog-entities';
import { refOf } from '../../properties/reference/catalog-rules';
import { SQLITE } from '../../support/app-config';
import { authorize, type Question } from '../../support/backend';
import {
  ingested,
  startCatalogBackend,
  type CatalogBackend,
} from '../../support/catalog-backend';
import { operations } from '../../support/operations';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

/** Each user, and the group that they are in. */
const GROUPS = { olivia: 'payments', nolan: 'search', petra: 'platform' } as const;
const USERS = ['olivia', 'nolan', 'petra'] as const;

const entity = (kind: string, name: string, spec: JsonObject): Entity => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind,
  metadata: { name },
  spec,
});

const PEOPLE = USERS.flatMap(name => [
  entity('User', name, { memberOf: [GROUPS[name]] }),
  entity('Group', GROUPS[name], { type: 'team', children: [] }),
]);
/** With the people, 20 entities. */
const ENTITIES = [
  ...PEOPLE,
  ...generateEntities(20261127, 40)
    .filter(({ kind }) => kind !== 'User' && kind !== 'Group')
    .slice(0, 14),
];

const ROUTES = [
  { sources: ['opa'] },
  { sources: ['ownership', 'opa'], combine: 'deny-overrides' },
  { sources: ['ownership', 'opa'], combine: 'allow-overrides' },
  { sources: ['opa', 'ownership'], combine: 'first-applicable', default: 'allow' },
];

describeWithOpa('an explanation', () => {
  let opa: OpaServer;
  let backend: CatalogBackend;
  const tokens = new Map<string, string>();
  let refs: string[];

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['config/policies/backstage.rego'],
    });
    backend = await startCatalogBackend({
      entities: ENTITIES,
      database: SQLITE,
      sources: {
        opa: { type: 'opa', baseUrl: opa.url, entrypoint: 'backstage_policy/decision' },
        ownership: { type: 'ownership' },
      },
      config: { operators: ['group:default/PLATFORM'] },
    });
    for (const user of USERS) tokens.set(user, await backend.signIn(user));
    const all = await ingested(backend, tokens.get('petra')!, ENTITIES.length);
    refs = all.map(refOf);
  });
  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  const questions = (): Question[] =>
    catalogPermissions.flatMap((permission): Question[] =>
      isResourcePermission(permission)
        ? [...refs, 'component:default/absent'].map(resourceRef => ({
            permission,
            resourceRef,
          }))
        : [{ permission }],
    );

  const bodyOf = ({ permission, resourceRef }: Question): object => ({
    permission,
    ...(resourceRef === undefined ? {} : { resource: resourceRef }),
  });

  it.each(ROUTES)(
    'equals what Backstage authorizes by $sources $combine',
    async route => {
      await backend.use(route);
      const operator = operations(backend.url, tokens.get('petra'));
      const differing: unknown[] = [];
      const seen = new Set<unknown>();
      let conditional = 0;
      for (const user of USERS) {
        const asked = questions();
        const { results } = await authorize(backend.url, tokens.get(user), asked);
        const own = operations(backend.url, tokens.get(user));
        await Promise.all(
          // So many may be here of one user.
          [0, 1].map(async lane => {
            for (let index = lane; index < asked.length; index += 2) {
              const question = bodyOf(asked[index]!);
              const userEntityRef = `user:default/${user}`;
              const answers = [
                await own.post('explain', question),
                await operator.post('explain', { ...question, user: userEntityRef }),
                await operator.post('explain', {
                  ...question,
                  user: userEntityRef,
                  refs: [userEntityRef, `group:default/${GROUPS[user]}`],
                }),
              ];
              const explained = answers.map(({ body }) => body.result);
              const expected = results[index];
              seen.add(expected);
              const record = answers[1]!.body.record as { result: string };
              if (record.result === 'CONDITIONAL') conditional++;
              if (explained.some(each => each !== expected)) {
                differing.push({ user, question, expected, answers });
              }
            }
          }),
        );
      }
      expect(differing).toEqual([]);
      expect(seen).toEqual(new Set(['ALLOW', 'DENY']));
      expect(conditional).toBeGreaterThan(0);
    },
  );
});
