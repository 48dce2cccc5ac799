/** Whatever the other source does, the decisions are those of the source in force. */
import type { PolicyQuery } from '@backstage/plugin-permission-node';
import { CHAPTERS } from '../faults/matrix';
import { ROW_LIMIT, SCENES } from '../faults/matrix-run';
import type { Peer, Scene, SceneRow } from '../faults/fault';
import {
  DEADLINE,
  GENEROUS_TIMEOUT,
  MAX_CONDITION_BYTES,
  MAX_RESPONSE_BYTES,
} from '../faults/settings';
import { permission } from '../fixtures/builders';
import { measureLoop, takeLoopForIdle } from '../support/idle-loop';
import { queryOf, USER } from '../support/in-process';
import { startRouter, type TestRouter } from '../support/router';
import { countsOf } from '../support/shadows';
import { decision, startStub, type StubServer } from '../support/stub-server';
import { until } from '../support/until';

beforeAll(takeLoopForIdle);
afterAll(measureLoop);

/** All but those in which the guard of the decisions refuses to ask: the other guard would ask. */
const PLAYED = CHAPTERS.filter(({ title }) => title !== 'is not asked');
/** Here no plugin publishes rules that would tell. */
const UNTOLD = 'answers with conditions that Backstage cannot apply';

let healthy: StubServer;
let peers: Peer[];
let router: TestRouter;
let asked = 0;

const opa = (timeout: number, more: object): object => ({
  type: 'opa',
  entrypoint: 'backstage_policy/decision',
  maxResponseBytes: MAX_RESPONSE_BYTES,
  circuitBreaker: { volumeThreshold: 1_000_000 },
  timeout: `${timeout}ms`,
  ...more,
});

beforeAll(async () => {
  healthy = await startStub(decision({ result: 'ALLOW' }));
  peers = await Promise.all(SCENES.map(scene => scene.start()));
  const each = <T>(make: (index: number) => T): T[] => SCENES.map((_, i) => make(i));
  router = await startRouter({
    fallback: 'deny',
    deadline: `${DEADLINE}ms`,
    maxConditionBytes: MAX_CONDITION_BYTES,
    shadow: Object.fromEntries(each(i => [`live${i}`, `fault${i}`])),
    sources: Object.fromEntries([
      ...each(i => [`live${i}`, opa(GENEROUS_TIMEOUT, { baseUrl: healthy.url })]),
      ...['fault', 'open'].flatMap(name =>
        each(i => [`${name}${i}`, opa(SCENES[i]!.timeout, peers[i]!.source)]),
      ),
    ]) as object,
    routes: each(i => [
      { prefix: `tested${i}`, sources: [`live${i}`] },
      { prefix: `closed${i}`, sources: [`fault${i}`] },
      { prefix: `open${i}`, sources: [`open${i}`] },
    ]).flat(),
  });
});

afterAll(async () => {
  router.close();
  await Promise.all([healthy.stop(), ...peers.map(peer => peer.stop())]);
});

const countOf = (scene: Scene): string =>
  countsOf(router.shadows).find(line =>
    line.startsWith(`'tested${SCENES.indexOf(scene)}' `),
  ) ?? '';

const rowsOf = ({ rows }: Scene): readonly SceneRow[] =>
  rows.filter(({ asker }) => asker !== 'nobody');

/** What was counted of each row that has been played. */
const played = new Map<SceneRow, Promise<string>>();

async function play(scene: Scene, row: SceneRow): Promise<string> {
  const place = SCENES.indexOf(scene);
  const name = `tested${place}.${scene.rows.indexOf(row)}`;
  const resource = { action: 'read', resourceType: 'catalog-entity' };
  const query: PolicyQuery =
    row.type === 'basic' ? queryOf(name) : { permission: permission(name, resource) };
  await row.before(mode => router.decide(queryOf(`${mode}${place}.x`), USER));
  const before = countOf(scene);
  asked++;
  expect((await router.decide(query, USER)).result).toBe('ALLOW');
  await row.after();
  await until(() => countOf(scene) !== before, 'it was compared');
  return countOf(scene);
}

/** One row after the other. */
function playAll(scene: Scene): void {
  let last: Promise<unknown> = Promise.resolve();
  for (const row of rowsOf(scene)) {
    const next = last.then(() => play(scene, row));
    played.set(row, next);
    last = next.catch(() => {});
  }
}

// They take the whole timeout.
beforeAll(() => SCENES.filter(({ hangs }) => hangs).forEach(playAll));

describe.each(PLAYED)('another OPA that $title', ({ title, scenes }) => {
  for (const scene of scenes) {
    for (const row of rowsOf(scene)) {
      (SCENES.includes(scene) ? it : it.skip)(
        row.name,
        async () => {
          const count = await (played.get(row) ?? play(scene, row));
          const outcome = row.outcome.failure ? 'shadow_failure' : /same|differs/;
          if (title !== UNTOLD) expect(count).toMatch(outcome);
        },
        ROW_LIMIT,
      );
    }
  }
});

it('the sources in force notice nothing', () => {
  const live = router.statuses().filter(({ source }) => source.startsWith('live'));
  expect(live.reduce((sum, each) => sum + each.asked, 0)).toBe(asked);
  for (const { failures, remote } of live) {
    expect(failures).toEqual({ unavailable: 0, overloaded: 0, invalid: 0 });
    expect(remote!.breaker.state).toBe('closed');
  }
});
