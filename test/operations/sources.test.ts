import { sourcesAnswer } from '../../src/operations/sources';
import { ManualBatches } from '../support/batch-source';
import { sourceOf } from '../support/fake-source';
import { closeGuards, guardOf } from '../support/guard';
import { answerProblems } from '../support/openapi';
import { allow } from '../../src/verdict';

type Used = Parameters<typeof sourcesAnswer>[0];

const used = {
  sources: new Map([
    ['opa', { type: 'opa', remote: { onUnavailable: 'fail-closed' } }],
  ]),
  routes: [],
  observe: undefined,
} as unknown as Used;

afterEach(closeGuards);

/** What is said of `batch` of a source with this problem. */
async function batchOf(
  isOperator: boolean,
  batch: { problem: string | undefined } | undefined,
): Promise<unknown> {
  const { guard } = guardOf(
    batch ? new ManualBatches() : sourceOf(async () => allow('')),
  );
  const { remote, ...status } = guard.status();
  const sources = await sourcesAnswer(
    used,
    [
      {
        ...status,
        remote: { ...remote!, ...(batch && { batch }) },
        source: 'opa',
        endpoint: undefined,
      },
    ],
    isOperator,
  );
  const body = JSON.parse(JSON.stringify({ replica: 'a', sources })) as {
    sources: Array<{ endpoints: Array<{ batch?: unknown }> }>;
  };
  expect(answerProblems('get', '/sources', 200, body)).toEqual([]);
  return body.sources[0]!.endpoints[0]!.batch;
}

it('says that a batch works', async () => {
  expect(await batchOf(false, { problem: undefined })).toEqual({ works: true });
  expect(await batchOf(true, { problem: undefined })).toEqual({ works: true });
});

it('says that a batch does not work, and why to operators only', async () => {
  const problem = "batch 'policy_router/batch' is not loaded in OPA";
  expect(await batchOf(false, { problem })).toEqual({ works: false });
  expect(await batchOf(true, { problem })).toEqual({ works: false, problem });
});

it('says nothing of batches where the config has none', async () => {
  expect(await batchOf(true, undefined)).toBeUndefined();
});
