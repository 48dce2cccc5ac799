import { Results } from '../../../src/sources/opa-wasm/results';

const setOf = (result: unknown): string => JSON.stringify([{ result }]);

const CONDITIONAL = {
  result: 'CONDITIONAL',
  pluginId: 'catalog',
  resourceType: 'catalog-entity',
  conditions: {
    anyOf: [
      {
        resourceType: 'catalog-entity',
        rule: 'IS_ENTITY_OWNER',
        params: { claims: ['group:default/a'] },
      },
    ],
  },
};

it('a text is read once', () => {
  const results = new Results();
  const text = setOf(CONDITIONAL);
  const read = results.read(text);
  expect(read.answer).toMatchObject({ kind: 'CONDITIONAL', pluginId: 'catalog' });
  expect(read.response).toEqual(JSON.parse(text));
  expect(results.read(`${text.slice(0, 5)}${text.slice(5)}`)).toBe(read);
});

it('texts that differ are read apart', () => {
  const results = new Results();
  const kinds = ['ALLOW', 'DENY', 'NOT_APPLICABLE', 'ALLOW'].map(
    result => results.read(setOf({ result })).answer.kind,
  );
  expect(kinds).toEqual(['ALLOW', 'DENY', 'NOT_APPLICABLE', 'ALLOW']);
});

it('nobody can change what a text has been read as', () => {
  const { answer, response } = new Results().read(setOf(CONDITIONAL));
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(frozen(response)).toBe(true);
  expect(answer.kind === 'CONDITIONAL' && frozen(answer.conditions)).toBe(true);
});

it.each([
  ['an undefined decision', '[]', 'UNDEFINED_DECISION'],
  ['a bad one', setOf({ result: 'MAYBE' }), 'BAD_DECISION'],
  ['a deep one', `[{"result":${'['.repeat(20_000)}${']'.repeat(20_000)}}]`, 'TOO_DEEP'],
])('%s is the same failure each time', (_, text, code) => {
  const results = new Results();
  for (let time = 0; time < 2; time++)
    expect(results.read(text).answer).toMatchObject({ failure: { code } });
});

it('no text that is not JSON can be read', () => {
  expect(() => new Results().read('[')).toThrow(SyntaxError);
});
