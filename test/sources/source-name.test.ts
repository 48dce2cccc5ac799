import { sourceNameProblem } from '../../src/sources/source-name';

it.each([
  ...['opa', 'o', 'my-opa', 'opa.eu', 'Ünicode', '7', 'x'.repeat(64), 'Allow'],
  ...['constructor', 'toString', 'hasOwnProperty'],
])('a source may be named %j', name => {
  expect(sourceNameProblem(name)).toBeUndefined();
});

it.each(['allow', 'deny'])('%j is a built-in source', name => {
  expect(sourceNameProblem(name)).toBe(
    `the name '${name}' is reserved for the built-in source`,
  );
});

it("'__proto__' would be lost", () => {
  expect(sourceNameProblem('__proto__')).toBe(
    "the name '__proto__' cannot be used: Backstage drops this key from the config",
  );
});

it.each([
  ['', '""'],
  ['te am', '"te am"'],
  ['team\t', '"team\\t"'],
  ['te\u00a0am', '"te\u00a0am"'],
  ['a\n[31mb', '"a\\n[31mb"'],
  ['te\u202eam', '"te\\u202eam"'],
  ['x'.repeat(65), `"${'x'.repeat(65)}"`],
])('%j does not fit a log line', (name, quoted) => {
  expect(sourceNameProblem(name)).toBe(
    `the name ${quoted} must have 1 to 64 characters, without white space or control characters`,
  );
});

it('a long name is not repeated in full', () => {
  expect(sourceNameProblem('x'.repeat(100_000))!.length).toBeLessThan(300);
});
