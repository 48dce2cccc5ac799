/**
 * The fault matrix again, with everything that observes switched on and broken, and with all of
 * it off: the decisions are those of docs/fault-table.md, which test/e2e/faults.test.ts compares.
 */
import {
  coreServices,
  createServiceFactory,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import { createPolicyRouter } from '../../src/feature';
import { expected } from '../faults/expectation';
import { CHAPTERS } from '../faults/matrix';
import { MatrixRun, ROW_LIMIT, SCENES, type MatrixOptions } from '../faults/matrix-run';
import type { TraceSink } from '../../src/trace/record';
import { BAD_AUDITORS, RecordingAuditor } from '../support/auditor';
import { measureLoop, takeLoopForIdle } from '../support/idle-loop';

/** Of the permission backend; the auditor of the other plugins works. */
const auditor = (name: string): BackendFeature =>
  createServiceFactory({
    service: coreServices.auditor,
    deps: { plugin: coreServices.pluginMetadata },
    factory: ({ plugin }) =>
      plugin.getId() === 'permission'
        ? BAD_AUDITORS[name]!()
        : new RecordingAuditor().service,
  });

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

let run: MatrixRun;
let received = 0;

const throwing: TraceSink = () => {
  throw new Error('thrown by a sink');
};
/** For a second at first. */
const blocking: TraceSink = () => block(received++ === 0 ? 1000 : 2);
// A sink may be async in spite of its type.
const never = (() => new Promise<void>(() => {})) as TraceSink;
const rejecting = (() => Promise.reject(new Error('by a sink'))) as TraceSink;

/** Adds what the tests look at. */
const observedBy = (...sinks: TraceSink[]): BackendFeature =>
  createPolicyRouter([...sinks, record => void run?.backend.traces.push(record)]);

const RUNS: Readonly<Record<string, () => MatrixOptions>> = {
  'all is on, the auditor never answers, and sinks throw, block or hang': () => ({
    settings: { audit: 'all', recentDecisions: 500 },
    policy: observedBy(throwing, rejecting, never, blocking),
    features: [auditor('never answers')],
  }),
  'all is on, and the auditor throws': () => ({
    settings: { audit: 'all', recentDecisions: 1 },
    features: [auditor('throws')],
  }),
  'all is off': () => ({ settings: { audit: 'off', recentDecisions: 0 } }),
};

describe.each(Object.entries(RUNS))('where %s', (_, options) => {
  // The scenes that hang run while this process is busy with the other rows.
  beforeAll(takeLoopForIdle);
  afterAll(measureLoop);

  beforeAll(async () => (run = await MatrixRun.start(options())));
  afterAll(() => run?.stop());

  describe.each(CHAPTERS)('an OPA that $title', ({ scenes }) => {
    for (const scene of scenes) {
      for (const row of scene.rows) {
        (SCENES.includes(scene) ? it : it.skip)(
          `${row.name}`,
          async () => {
            const seen = await run.see(scene, row);
            expect(seen).toEqual(seen.map(each => expected(row, each)));
          },
          ROW_LIMIT,
        );
      }
    }
  });
});
