/**
 * Hosted policies combined with OPA and ownership on one route: for generated policies in a real
 * OPA, every way to read the catalog returns the entities that an oracle computes.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import rbacPlugin from '@backstage-community/plugin-rbac-backend';
import opaWrapperModule from '@parsifal-m/plugin-permission-backend-module-opa-wrapper';
import fc from 'fast-check';
import { stringify } from 'yaml';
import type { CombiningAlgorithm } from '../../../src/combining/algorithms';
import { hostPolicy } from '../../../src/index';
import { any, not, rule } from '../../fixtures/builders';
import { generateEntities, VIEWER } from '../../fixtures/catalog-entities';
import {
  anyPolicy,
  conditional,
  type GeneratedPolicy,
  type RegoVerdict,
} from '../../fixtures/generated-policies';
import { platformPolicyModule } from '../../fixtures/platform-policy';
import { meets, refOf } from '../../properties/reference/catalog-rules';
import { combineMeanings } from '../../properties/reference/combining';
import { SQLITE } from '../../support/app-config';
import { temporaryFolder } from '../../support/backend';
import {
  ingested,
  startCatalogBackend,
  type CatalogBackend,
} from '../../support/catalog-backend';
import { checks, LISTS, type Reader } from '../../support/catalog-reads';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { endingRbac, untilGroupHasMembers } from '../../support/rbac';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

/** RBAC finds a user's roles by the groups in the catalog. */
const GROUP = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Group',
  metadata: { name: 'payments' },
  spec: { type: 'team', children: [] },
};
const ENTITIES = [...generateEntities(20261121, 120), GROUP];
const REFS = ENTITIES.map(refOf);

/** Each source's verdict on reading, for the viewer. */
const SAYS: Readonly<Record<string, (policy: GeneratedPolicy) => RegoVerdict>> = {
  opa: ([first]) => first ?? ABSTAINS,
  // It treats every unknown answer as a denial.
  wrapper: ([, second]) =>
    second?.result === 'ALLOW' || second?.result === 'CONDITIONAL' ? second : DENIES,
  // As in test/fixtures/rbac/conditions.yaml.
  rbac: () =>
    conditional(any(owned(), rule('IS_ENTITY_KIND', { params: { kinds: ['Group'] } }))),
  platform: () =>
    conditional(
      not(rule('HAS_ANNOTATION', { params: { annotation: 'example.com/protected' } })),
    ),
  owners: () => conditional(owned()),
};

const ABSTAINS: RegoVerdict = { result: 'NOT_APPLICABLE' };
const DENIES: RegoVerdict = { result: 'DENY' };
const owned = () =>
  rule('IS_ENTITY_OWNER', { params: { claims: VIEWER.ownershipEntityRefs } });

const SOURCES = [
  ['rbac', 'opa'],
  ['opa', 'owners', 'rbac'],
  ['owners', 'wrapper'],
  ['wrapper', 'opa', 'platform'],
];
const ALGORITHMS: readonly CombiningAlgorithm[] = [
  'deny-overrides',
  'allow-overrides',
  'first-applicable',
];
const ROUTES = SOURCES.flatMap(sources =>
  ALGORITHMS.map(combine => ({ sources, combine, default: 'deny' })),
);

/** The references that the route allows. */
function expectedRefs(
  { sources, combine }: { sources: string[]; combine: CombiningAlgorithm },
  policy: GeneratedPolicy,
): string[] {
  const verdicts = sources.map(source => SAYS[source]!(policy));
  return ENTITIES.filter(entity => {
    const meanings = verdicts.map(verdict => {
      if (verdict.result === 'NOT_APPLICABLE') return undefined;
      return verdict.result === 'CONDITIONAL'
        ? meets(verdict.conditions, entity)
        : verdict.result === 'ALLOW';
    });
    return combineMeanings(combine, meanings) ?? false;
  }).map(refOf);
}

describeWithOpa('hosted policies that share a route with other sources', () => {
  let opa: OpaServer;
  let folder: string;
  let backend: CatalogBackend;
  let reader: Reader;
  const tally = { policies: 0, selective: 0 };

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['test/fixtures/policies/generated.rego'],
    });
    folder = await temporaryFolder();
    const wrapperConfig = join(folder, 'wrapper.yaml');
    const policy = { policyEntryPoint: 'generated/second' };
    await writeFile(
      wrapperConfig,
      stringify({ permission: { opa: { baseUrl: opa.url, policy } } }),
    );
    const hosted = { type: 'hosted' };
    backend = await endingRbac(() =>
      startCatalogBackend({
        entities: ENTITIES,
        database: SQLITE,
        configFiles: ['test/fixtures/rbac/app-config.yaml', wrapperConfig],
        features: [
          hostPolicy('rbac', rbacPlugin),
          hostPolicy('wrapper', opaWrapperModule),
          hostPolicy('platform', platformPolicyModule),
        ],
        sources: {
          rbac: hosted,
          wrapper: hosted,
          platform: hosted,
          owners: { type: 'ownership' },
          opa: {
            type: 'opa',
            baseUrl: opa.url,
            entrypoint: 'generated/first',
          },
        },
      }),
    );
    reader = {
      url: backend.url,
      token: await backend.signIn(VIEWER.name),
      refByName: new Map(ENTITIES.map(each => [each.metadata.name, refOf(each)])),
    };
    await ingested(backend, reader.token, ENTITIES.length);
    await untilGroupHasMembers(backend, reader.token, GROUP.metadata.name);
  }, 120_000);

  afterAll(async () => {
    await backend?.stop();
    await opa?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(ROUTES)(
    'give the expected lists and single checks with $sources under $combine',
    async route => {
      await backend.use(route);
      const property = fc.asyncProperty(anyPolicy, async policy => {
        const put = await fetch(`${opa.url}/v1/data/verdicts`, {
          method: 'PUT',
          body: JSON.stringify(policy),
        });
        expect(put.status).toBe(204);
        const expected = expectedRefs(route, policy).sort();
        const read = Object.entries({ ...LISTS, checks }).map(
          async ([way, reading]) =>
            [way, (await reading(reader, REFS)).sort()] as const,
        );
        expect(await Promise.all(read)).toEqual(
          [...Object.keys(LISTS), 'checks'].map(way => [way, expected]),
        );
        tally.policies += 1;
        tally.selective += expected.length > 0 && expected.length < REFS.length ? 1 : 0;
      });
      await fc.assert(property, { seed: 20261121, numRuns: 8, endOnFailure: true });
    },
    60_000,
  );

  it('often enough concerned only a part of the catalog', () => {
    process.stdout.write(
      `\nHosted policies with other sources: ${tally.policies} policies, of which ` +
        `${tally.selective} allow a part of the catalog\n`,
    );
    expect(tally.selective / tally.policies).toBeGreaterThan(0.5);
  });

  it('never failed, and returned conditions with known rules', () => {
    const failures = backend.traces.flatMap(({ failure, sources }) =>
      [failure, ...sources.map(source => source.failure)].filter(Boolean),
    );
    expect(failures).toEqual([]);
    const spoke = (source: string): boolean =>
      backend.traces.some(({ sources }) =>
        sources.some(each => each.source === source && each.verdict === 'CONDITIONAL'),
      );
    for (const source of Object.keys(SAYS))
      expect([source, spoke(source)]).toEqual([source, true]);
    const unread = backend.logs.lines.filter(({ message }) =>
      message.includes('Could not read the permission rules'),
    );
    expect(unread).toEqual([]);
  });

  it('cause a warning where they never abstain', async () => {
    const since = backend.logs.lines.length;
    await backend.use({ sources: ['owners', 'rbac'], combine: 'allow-overrides' });
    const { message } = await backend.logs.waitFor("'rbac' is hosted", since);
    expect(message).toContain('never abstains');
  });
});
