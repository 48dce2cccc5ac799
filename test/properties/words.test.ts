/** Conditions of any shape, with parameters of any shape, have words of bounded length. */
import fc from 'fast-check';
import { BadCondition, parseConditions } from '../../src/conditions/parse';
import { inWords } from '../../src/conditions/words';
import { checkLine } from '../support/fuzzed-router';
import { hostileText } from '../support/hostile-text';

const name = fc.oneof(hostileText, fc.string()).filter(text => text !== '');
const params = fc.dictionary(
  name.filter(key => key !== '__proto__'),
  fc.jsonValue(),
);

const { criteria } = fc.letrec(tie => {
  const group = fc.array(tie('criteria'), { minLength: 1, maxLength: 6 });
  return {
    criteria: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      fc.record(
        { rule: name, resourceType: name, params },
        { requiredKeys: ['rule', 'resourceType'] },
      ),
      group.map(allOf => ({ allOf })),
      group.map(anyOf => ({ anyOf })),
      tie('criteria').map(not => ({ not })),
    ),
  };
});

it('is one line, no longer than asked for', () => {
  let cut = 0;
  fc.assert(
    fc.property(criteria, fc.integer({ min: 1, max: 500 }), (value, most) => {
      const conditions = parseConditions(value);
      if (conditions instanceof BadCondition) throw new Error(conditions.message);
      const words = inWords(conditions, most);
      checkLine(words);
      if (words.length > most) throw new Error(`${words.length} characters`);
      if (words.endsWith('…')) cut++;
    }),
    { numRuns: 1000 },
  );
  expect(cut).toBeGreaterThan(0);
});
