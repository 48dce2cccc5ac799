import { text } from '../../src/lib/fields';
import { localKind, remoteKind } from '../../src/sources/kind';
import { denySource } from '../../src/sources/constant/source';
import { sourceOf } from '../support/fake-source';

const PROBLEM = 'must not be equal';
const settings = { one: text('a text'), two: text('a text').optional() };
const check = (
  { one, two }: { one: string; two?: string | undefined },
  context: { addIssue(issue: string): void },
): void => {
  if (one === two) context.addIssue(PROBLEM);
};

const source = sourceOf(async () => ({ kind: 'DENY', reason: 'because' }));
const local = localKind({ type: 'local', settings, check, build: denySource });
const remote = remoteKind({
  type: 'remote',
  settings,
  check,
  defaults: { timeout: '250ms', concurrency: 5, queue: 7 },
  endpoints: ({ one, two }) => (two === undefined ? [one] : [one, two]),
  build: () => source,
});

describe.each([local, remote])('a $type kind', ({ type, schema }) => {
  const messages = (config: object): string[] =>
    (schema.safeParse({ type, ...config }).error?.issues ?? []).map(
      ({ path, message }) => `${path.join('.')}: ${message}`,
    );

  it('reads its settings', () => {
    expect(schema.safeParse({ type, one: 'a', two: 'b' }).data).toMatchObject({
      type,
      one: 'a',
      two: 'b',
    });
  });

  it('refuses a wrong setting', () => {
    expect(messages({})).toEqual(['one: is required: a text']);
    expect(messages({ one: 1 })).toEqual(['one: must be a text']);
  });

  it('refuses settings that do not agree', () => {
    expect(messages({ one: 'a', two: 'a' })).toEqual([`: ${PROBLEM}`]);
  });

  it('refuses another type', () => {
    expect(messages({ type: 'other', one: 'a' })).toHaveLength(1);
  });
});

describe('a local kind', () => {
  it('has nothing but its settings', () => {
    expect(local.isRemote).toBe(false);
    expect(local.schema.parse({ type: 'local', one: 'a' })).toEqual({
      type: 'local',
      one: 'a',
    });
    expect(
      local.schema.safeParse({ type: 'local', one: 'a', queue: 1 }).error,
    ).toMatchObject({
      issues: [{ message: "unknown key 'queue'; allowed: type, one, two" }],
    });
  });
});

describe('a remote kind', () => {
  it('also has the settings of all remote sources, with defaults of its own', () => {
    expect(remote.isRemote).toBe(true);
    expect(remote.schema.parse({ type: 'remote', one: 'a' })).toMatchObject({
      one: 'a',
      timeout: 250,
      concurrency: 5,
      queue: 7,
    });
  });

  it('is asked where its options say', () => {
    expect(remote.endpoints?.({ one: 'a', two: 'b' })).toEqual(['a', 'b']);
    const elsewhere = remoteKind({
      type: 'remote',
      settings: {},
      defaults: { timeout: '1s', concurrency: 1, queue: 0 },
      build: () => source,
    });
    expect('endpoints' in elsewhere).toBe(false);
  });
});
