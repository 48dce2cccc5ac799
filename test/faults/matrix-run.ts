/** The whole fault matrix, put to one backend. */
import type { BackendFeature } from '@backstage/backend-plugin-api';
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { decision, startStub, type StubServer } from '../support/stub-server';
import { opaBinary } from '../support/with-opa';
import { MODES, type Peer, type Scene, type SceneRow } from './fault';
import { CHAPTERS } from './matrix';
import {
  DEADLINE,
  GENEROUS_TIMEOUT,
  MAX_CONDITION_BYTES,
  MAX_RESPONSE_BYTES,
} from './settings';
import { observe, type Place, type Sighting } from './sighting';

/** The batch is asked after the single question, and each may take the whole deadline. */
export const ROW_LIMIT = 2 * DEADLINE + 30_000;

/** The scenes that can be played here. */
export const SCENES: readonly Scene[] = CHAPTERS.flatMap(
  chapter => chapter.scenes,
).filter(scene => !scene.needsOpa || opaBinary !== undefined);

interface Staged {
  readonly peer: Peer;
  readonly place: Place;
}

export interface MatrixOptions {
  /** Further config of the router. */
  readonly settings?: object;
  /** In place of the policy router as it is installed. */
  readonly policy?: BackendFeature;
  readonly features?: readonly BackendFeature[];
}

export class MatrixRun {
  private readonly sightings = new Map<SceneRow, readonly Sighting[]>();
  /** The rows that have been started. */
  private readonly plays = new Map<SceneRow, Promise<readonly Sighting[]>>();

  private constructor(
    readonly backend: RunningBackend,
    private readonly token: string,
    private readonly healthy: StubServer,
    private readonly staged: ReadonlyMap<Scene, Staged>,
  ) {}

  /** The scenes that hang are played in parallel from the start, while the others are asked. */
  static async start({ settings, ...options }: MatrixOptions = {}): Promise<MatrixRun> {
    const healthy = await startStub(decision({ result: 'ALLOW' }));
    const staged = new Map(
      await Promise.all(
        SCENES.map(async (scene, index) => [scene, await stage(scene, index)] as const),
      ),
    );
    const backend = await startBackend({
      configFiles: ['test/fixtures/app-config.anonymous.yaml'],
      policyRouter: {
        fallback: 'deny',
        deadline: `${DEADLINE}ms`,
        maxConditionBytes: MAX_CONDITION_BYTES,
        sources: {
          healthy: sourceWith({
            baseUrl: healthy.url,
            timeout: `${GENEROUS_TIMEOUT}ms`,
          }),
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
        ...settings,
      },
      ...options,
    });
    const token = await backend.signIn('nolan');
    const run = new MatrixRun(backend, token, healthy, staged);
    for (const scene of SCENES.filter(({ hangs }) => hangs)) void run.playAll(scene);
    return run;
  }

  /** What is seen of a row; plays it unless it is being played. */
  see(scene: Scene, row: SceneRow): Promise<readonly Sighting[]> {
    return this.plays.get(row) ?? this.play(scene, row);
  }

  /** @throws Error if it has not been played. */
  seenOf(row: SceneRow): readonly Sighting[] {
    const seen = this.sightings.get(row);
    if (!seen) throw new Error('run the whole file: a row was not asked');
    return seen;
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.plays.values());
    await this.backend.stop();
    await Promise.all([...this.staged.values()].map(({ peer }) => peer.stop()));
    await this.healthy.stop();
  }

  /** Never rejects: the test of the row reports the failure. */
  private async playAll(scene: Scene): Promise<void> {
    let last: Promise<unknown> = Promise.resolve();
    for (const row of scene.rows) {
      const played = last.then(() => this.play(scene, row));
      this.plays.set(row, played);
      last = played.catch(() => {});
    }
    await last;
  }

  private async play(scene: Scene, row: SceneRow): Promise<readonly Sighting[]> {
    const { backend, token } = this;
    const { place } = this.staged.get(scene)!;
    const index = scene.rows.indexOf(row);
    await row.before(mode =>
      authorize(backend.url, token, [
        basic(`${place.prefix(mode)}.${index}.before.read`, 'read'),
      ]),
    );
    const asker = row.asker === 'nobody' ? undefined : token;
    const seen = await observe(backend, asker, place, row, index);
    this.sightings.set(row, seen);
    await row.after();
    return seen;
  }
}

const sourceWith = (more: object): object => ({
  type: 'opa',
  entrypoint: 'backstage_policy/decision',
  maxResponseBytes: MAX_RESPONSE_BYTES,
  // The breaker must never open: every question has to reach its peer.
  circuitBreaker: { volumeThreshold: 1_000_000 },
  ...more,
});

async function stage(scene: Scene, index: number): Promise<Staged> {
  const peer = await scene.start();
  return {
    peer,
    place: {
      prefix: mode => `fault${index}.${mode}`,
      source: mode => `fault${index}-${mode}`,
      timeout: scene.timeout,
    },
  };
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
