import { regoAnswer } from '../../../src/sources/rego/answer';

describe('a Rego decision', () => {
  it('that is undefined does not abstain: before a bundle is active, all are undefined', () => {
    expect(regoAnswer(undefined)).toMatchObject({
      kind: 'FAILED',
      failure: { class: 'invalid', code: 'UNDEFINED_DECISION' },
    });
  });

  it.each([
    ['ALLOW', 'the Rego policy says ALLOW'],
    ['DENY', 'the Rego policy says DENY'],
    ['NOT_APPLICABLE', 'the Rego policy abstains'],
  ])('that is %s names its policy in the reason', (result, reason) => {
    expect(regoAnswer({ result })).toEqual({ kind: result, reason });
  });

  it('of another shape is invalid', () => {
    expect(regoAnswer({ allow: true })).toMatchObject({
      kind: 'FAILED',
      failure: { class: 'invalid', code: 'BAD_DECISION' },
    });
  });
});
