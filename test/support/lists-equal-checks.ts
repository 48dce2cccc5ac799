/**
 * Lists and single checks agree, on the real catalog with its real databases: for generated
 * policies of a real OPA, every way to read the catalog gives the entities an oracle names. A
 * test file for each database, so that both run at once.
 */
import type { Entity } from '@backstage/catalog-model';
import fc from 'fast-check';
import type { CombiningAlgorithm } from '../../src/combining/algorithms';
import type { DecisionRecord } from '../../src/trace/record';
import { rule } from '../fixtures/builders';
import { generateEntities, VIEWER } from '../fixtures/catalog-entities';
import {
  anyPolicy,
  conditional,
  type GeneratedPolicy,
  type RegoVerdict,
} from '../fixtures/generated-policies';
import { meets, ownersOf, refOf } from '../properties/reference/catalog-rules';
import { combineMeanings } from '../properties/reference/combining';
import { ingested, startCatalogBackend, type CatalogBackend } from './catalog-backend';
import { byRefs, checks, checksOneByOne, LISTS, type Reader } from './catalog-reads';
import { startOpa, type OpaServer } from './opa-server';
import { requireOpa } from './with-opa';

const SEED = 20260921;
const ENTITIES = generateEntities(SEED, 240);
const REFS = ENTITIES.map(refOf);
const ABSENT = ['component:default/absent', `user:platform/${VIEWER.name}`];

/** OPA's entrypoints; each is a separate source. */
const OPA = ['first', 'second', 'third'];

interface Route {
  readonly sources: readonly string[];
  readonly combine: CombiningAlgorithm;
  readonly default: 'allow' | 'deny';
}

const ofOpa = { sources: OPA, runs: 50 };
const withOwnership = { sources: ['first', 'ownership', 'second'], runs: 20 };

/** Each is loaded by a hot reload and has its own generated policies. */
const ROUTES: ReadonlyArray<Route & { readonly runs: number; readonly seed: number }> =
  [
    { ...ofOpa, combine: 'deny-overrides', default: 'deny', seed: 1 },
    { ...ofOpa, combine: 'allow-overrides', default: 'allow', seed: 2 },
    { ...ofOpa, combine: 'first-applicable', default: 'deny', seed: 3 },
    { ...withOwnership, combine: 'deny-overrides', default: 'allow', seed: 4 },
    { ...withOwnership, combine: 'allow-overrides', default: 'deny', seed: 5 },
    { ...withOwnership, combine: 'first-applicable', default: 'deny', seed: 6 },
  ];

const owner: RegoVerdict = conditional(
  rule('IS_ENTITY_OWNER', { params: { claims: VIEWER.ownershipEntityRefs } }),
);

/** The references that the route allows; a resource that does not exist meets no condition. */
function expectedRefs(route: Route, policy: GeneratedPolicy): string[] {
  const verdicts = route.sources.map(source =>
    source === 'ownership' ? owner : policy[OPA.indexOf(source)],
  );
  const isLetThrough = (admits: (verdict: RegoVerdict) => boolean): boolean => {
    const meanings = verdicts.map(verdict =>
      verdict === undefined || verdict.result === 'NOT_APPLICABLE'
        ? undefined
        : admits(verdict),
    );
    return combineMeanings(route.combine, meanings) ?? route.default === 'allow';
  };
  const existing = ENTITIES.filter(entity =>
    isLetThrough(verdict =>
      verdict.result === 'CONDITIONAL'
        ? meets(verdict.conditions, entity)
        : verdict.result === 'ALLOW',
    ),
  );
  const absent = ABSENT.filter(() => isLetThrough(({ result }) => result === 'ALLOW'));
  return [...existing.map(refOf), ...absent];
}

/** What one way to read is missing, has too many or has twice, with a few names of each. */
function differences(
  way: string,
  found: readonly string[],
  expected: readonly string[],
): string[] {
  const wrong = {
    'is missing': expected.filter(ref => !found.includes(ref)),
    'must not have': found.filter(ref => !expected.includes(ref)),
    repeats: found.filter((ref, index) => found.indexOf(ref) !== index),
  };
  return Object.entries(wrong)
    .filter(([, refs]) => refs.length > 0)
    .map(([what, refs]) => `${way} ${what} ${refs.length}: ${refs.slice(0, 3).join()}`);
}

interface Database {
  readonly config: object;
  stop(): Promise<void>;
}

/** How many smaller policies are tried after a failure. */
const SHRINKS = 200;
/** For one policy in this many, one of as many parts of the catalog is also read by name. */
const BY_NAME = 10;
/** With fewer, the test would prove little: allowing everything or nothing agrees easily. */
const MIN_SELECTIVE = 0.5;

/** The tests of one database; for use inside a suite that needs OPA. */
export function listsEqualChecks(
  name: string,
  startDatabase: () => Promise<Database>,
): void {
  let opa: OpaServer;
  let database: Database;
  let backend: CatalogBackend;
  let reader: Reader;
  let found: Entity[];
  const tally = { policies: 0, selective: 0, contradictions: 0, answers: 0, wrong: 0 };

  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['test/fixtures/policies/generated.rego'],
    });
    database = await startDatabase();
    const opaSource = (rule: string): object => ({
      type: 'opa',
      baseUrl: opa.url,
      entrypoint: `generated/${rule}`,
    });
    backend = await startCatalogBackend({
      entities: ENTITIES,
      database: database.config,
      sources: {
        ownership: { type: 'ownership' },
        ...Object.fromEntries(OPA.map(rule => [rule, opaSource(rule)])),
      },
    });
    reader = {
      url: backend.url,
      token: await backend.signIn(VIEWER.name),
      refByName: new Map(ENTITIES.map(each => [each.metadata.name, refOf(each)])),
    };
    found = await ingested(backend, reader.token, ENTITIES.length);
  }, 120_000);

  afterAll(async () => {
    await backend?.stop();
    await database?.stop();
    await opa?.stop();
    const { policies, selective, contradictions, answers, wrong } = tally;
    process.stdout.write(
      `\nLists and checks in ${name}: ${policies} policies (${selective} allow a part of the ` +
        `catalog, ${contradictions} contradict themselves), ` +
        `${ENTITIES.length} entities, ${answers} answers compared, ${wrong} differences\n`,
    );
  });

  /** Makes OPA answer with this policy; returns how the ways to read differ from the oracle. */
  async function check(route: Route, policy: GeneratedPolicy): Promise<string[]> {
    const put = await fetch(`${opa.url}/v1/data/verdicts`, {
      method: 'PUT',
      body: JSON.stringify(policy),
    });
    if (!put.ok) throw new Error(`OPA answered HTTP ${put.status}`);

    const every = [...REFS, ...ABSENT];
    const expected = expectedRefs(route, policy);
    const listed = expected.filter(ref => !ABSENT.includes(ref));
    const compared = await Promise.all([
      ...Object.entries(LISTS).map(async ([way, read]) =>
        differences(way, await read(reader, every), listed),
      ),
      checks(reader, every).then(refs => differences('checks', refs, expected)),
    ]);
    tally.answers += compared.length * REFS.length + ABSENT.length;

    const turn = tally.policies / BY_NAME;
    if (Number.isInteger(turn)) {
      const part = every.filter((_ref, index) => (index + turn) % BY_NAME === 0);
      const [batch, single] = [
        await byRefs(reader, part),
        await checksOneByOne(reader, part),
      ];
      const among = (refs: string[]) => refs.filter(ref => part.includes(ref));
      compared.push(
        differences('by-refs', batch, among(listed)),
        differences('checks one by one', single, among(expected)),
      );
      tally.answers += 2 * part.length;
    }

    const wrong = compared.flat();
    tally.policies += 1;
    tally.selective += listed.length > 0 && listed.length < REFS.length ? 1 : 0;
    tally.contradictions += isContradiction(backend.traces.at(-1)) ? 1 : 0;
    tally.wrong += wrong.length;
    return wrong;
  }

  it('read the catalog as it was generated', () => {
    const owners = ({ relations = [] }: Entity): string[] =>
      relations
        .filter(({ type }) => type === 'ownedBy')
        .map(({ targetRef }) => targetRef);
    expect(new Map(found.map(each => [refOf(each), owners(each)]))).toEqual(
      new Map(ENTITIES.map(each => [refOf(each), ownersOf(each)])),
    );
  });

  it.each(ROUTES)(
    'agree on $runs policies: $combine of $sources',
    async ({ runs, seed, ...route }) => {
      await backend.use(route);
      let left = runs + SHRINKS;
      await fc.assert(
        fc.asyncProperty(anyPolicy, async policy => {
          if (left-- > 0) expect(await check(route, policy)).toEqual([]);
        }),
        { seed, numRuns: runs },
      );
    },
    180_000,
  );

  it('often enough concerned only a part of the catalog', () => {
    expect(tally.selective / tally.policies).toBeGreaterThan(MIN_SELECTIVE);
    expect(tally.contradictions).toBeGreaterThan(0);
  });

  it('saw no source fail', () => {
    const failures = backend.traces.flatMap(({ failure, sources }) =>
      [failure, ...sources.map(source => source.failure)].filter(Boolean),
    );
    expect(failures).toEqual([]);
  });
}

/** No source denied and not all abstained; combined, their conditions can never be met. */
const isContradiction = (trace: DecisionRecord | undefined): boolean => {
  const verdicts = trace?.sources.map(({ verdict }) => verdict) ?? [];
  return (
    trace?.result === 'DENY' &&
    verdicts.includes('CONDITIONAL') &&
    !verdicts.includes('DENY')
  );
};
