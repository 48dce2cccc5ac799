/**
 * The fault matrix: everything that can go wrong between a real Backstage backend and OPA, for
 * sources that fail closed and that fail open, alone and in a batch with healthy questions.
 * Only an outage may fail open, and a fault affects no other question of the batch.
 *
 * The results are compared with docs/fault-table.md. To rewrite that file:
 *
 *   UPDATE_DOCS=1 npx jest test/e2e/faults.test.ts
 */
import { expected, tally } from '../faults/expectation';
import { MODES, type Peer, type Scene, type SceneRow } from '../faults/fault';
import { CHAPTERS } from '../faults/matrix';
import { madePart, render, writeMadePart } from '../faults/page';
import {
  DEADLINE,
  GENEROUS_TIMEOUT,
  MAX_CONDITION_BYTES,
  MAX_RESPONSE_BYTES,
} from '../faults/settings';
import { observe, type Place, type Sighting } from '../faults/sighting';
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { measureLoop, takeLoopForIdle } from '../support/idle-loop';
import { decision, startStub, type StubServer } from '../support/stub-server';
import { describeWithOpa, opaBinary } from '../support/with-opa';

/** The batch is asked after the single question, and each may take the whole deadline. */
const ROW_LIMIT = 2 * DEADLINE + 30_000;

interface Staged {
  readonly scene: Scene;
  readonly peer: Peer;
  readonly place: Place;
}

const scenes = CHAPTERS.flatMap(chapter => chapter.scenes).filter(
  scene => !scene.needsOpa || opaBinary !== undefined,
);
const staged = new Map<Scene, Staged>();
const sightings = new Map<unknown, readonly Sighting[]>();
/** The rows that have been started. */
const plays = new Map<SceneRow, Promise<readonly Sighting[]>>();
let healthy: StubServer;
let backend: RunningBackend;
let token: string;

beforeAll(async () => {
  healthy = await startStub(decision({ result: 'ALLOW' }));
  await Promise.all(scenes.map(stage));
  backend = await startBackend({
    configFiles: ['test/fixtures/app-config.anonymous.yaml'],
    policyRouter: {
      fallback: 'deny',
      deadline: `${DEADLINE}ms`,
      maxConditionBytes: MAX_CONDITION_BYTES,
      sources: {
        healthy: sourceWith({ baseUrl: healthy.url, timeout: `${GENEROUS_TIMEOUT}ms` }),
        ...Object.fromEntries([...staged.values()].flatMap(sourcesOf)),
      },
      routes: [
        { prefix: 'healthy', sources: ['healthy'] },
        { prefix: 'free', sources: ['allow'] },
        ...[...staged.values()].flatMap(({ place }) =>
          MODES.map(mode => ({
            prefix: place.prefix(mode),
            sources: [place.source(mode)],
          })),
        ),
      ],
    },
  });
  token = await backend.signIn('nolan');
  // The scenes that hang run in parallel, while the other rows are asked.
  for (const scene of scenes.filter(({ hangs }) => hangs)) void playAll(scene);
});

// The scenes that hang run while this process is busy with the other rows.
beforeAll(takeLoopForIdle);
afterAll(measureLoop);

/** Never rejects: the test of the row reports the failure. */
async function playAll(scene: Scene): Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  for (const [index, row] of scene.rows.entries()) {
    const played = last.then(() => play(scene, row, index));
    plays.set(row, played);
    last = played.catch(() => {});
  }
  await last;
}

async function play(
  scene: Scene,
  row: SceneRow,
  index: number,
): Promise<readonly Sighting[]> {
  const { place } = staged.get(scene)!;
  await row.before(mode =>
    authorize(backend.url, token, [
      basic(`${place.prefix(mode)}.${index}.before.read`, 'read'),
    ]),
  );
  const asker = row.asker === 'nobody' ? undefined : token;
  const seen = await observe(backend, asker, place, row, index);
  sightings.set(row, seen);
  await row.after();
  return seen;
}

const sourceWith = (more: object): object => ({
  type: 'opa',
  entrypoint: 'backstage_policy/decision',
  maxResponseBytes: MAX_RESPONSE_BYTES,
  // The breaker must never open: every question has to reach its peer.
  circuitBreaker: { volumeThreshold: 1_000_000 },
  ...more,
});

async function stage(scene: Scene, index: number): Promise<void> {
  const peer = await scene.start();
  staged.set(scene, {
    scene,
    peer,
    place: {
      prefix: mode => `fault${index}.${mode}`,
      source: mode => `fault${index}-${mode}`,
      timeout: scene.timeout,
    },
  });
}

const sourcesOf = ({ peer, place }: Staged): Array<[string, object]> =>
  MODES.map(mode => [
    place.source(mode),
    sourceWith({
      timeout: `${place.timeout}ms`,
      onUnavailable: `fail-${mode}`,
      ...peer.source,
    }),
  ]);

afterAll(async () => {
  await Promise.allSettled(plays.values());
  await backend?.stop();
  await Promise.all([...staged.values()].map(({ peer }) => peer.stop()));
  await healthy.stop();
});

describe.each(CHAPTERS)('an OPA that $title', ({ scenes: ofChapter }) => {
  for (const scene of ofChapter) {
    for (const [index, row] of scene.rows.entries()) {
      (scenes.includes(scene) ? it : it.skip)(
        `${row.name}`,
        async () => {
          const seen = await (plays.get(row) ?? play(scene, row, index));
          expect(seen).toEqual(seen.map(each => expected(row, each)));
        },
        ROW_LIMIT,
      );
    }
  }
});

describeWithOpa('docs/fault-table.md', () => {
  const seenChapters = CHAPTERS.map(({ title, scenes: ofChapter }) => ({
    title,
    rows: ofChapter.flatMap(scene => scene.rows),
  }));

  it('shows what was seen', () => {
    const chapters = seenChapters.map(({ title, rows }) => ({
      title,
      rows: rows.map(row => ({ row, seen: seenOf(row) })),
    }));
    const counts = tally(chapters.flatMap(({ rows }) => rows));
    expect(counts).toMatchObject({
      wronglyAllowed: 0,
      brokenBatches: 0,
      pastDeadline: 0,
    });
    const table = render(chapters, counts);
    if (process.env.UPDATE_DOCS) writeMadePart(table);
    expect(madePart()).toBe(table);
  });

  function seenOf(row: unknown): readonly Sighting[] {
    const seen = sightings.get(row);
    if (!seen) throw new Error('run the whole file: a row was not asked');
    return seen;
  }
});
