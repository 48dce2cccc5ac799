import { entrypoint } from '../../../src/sources/rego/entrypoint';

it.each(['a', 'backstage_policy/decision', 'a/b/c', 'a-b/c.d', '..a/b..', 'a/...'])(
  'may be %j',
  path => {
    expect(entrypoint.parse(path)).toBe(path);
  },
);

it.each([
  ...['/a', 'a/', 'a//b', '/'],
  ...['.', '..', '../a', 'a/..', 'a/../b', 'a/./b'],
  ...['a b', ' a', 'a\n', 'a?b', 'a#b', 'a%2Fb'],
])('has whole segments that a URL keeps as they are, so it is not %j', path => {
  expect(entrypoint.safeParse(path).error?.issues).toMatchObject([
    { message: "must be segments joined by '/', such as 'backstage_policy/decision'" },
  ]);
});

it.each([
  [
    undefined,
    "is required: the path of a decision, such as 'backstage_policy/decision'",
  ],
  [
    '',
    "must be the path of a decision, such as 'backstage_policy/decision', not empty",
  ],
  [['a'], "must be the path of a decision, such as 'backstage_policy/decision'"],
])('is text: %j', (value, message) => {
  expect(entrypoint.safeParse(value).error?.issues).toMatchObject([{ message }]);
});
