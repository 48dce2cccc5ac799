import { constantAllow, constantDeny } from '../../../src/sources/constant/kind';
import { configOf, problems, TYPES } from '../../support/read-config';

it.each([constantAllow, constantDeny])('$type has no settings', ({ type, schema }) => {
  expect(schema.safeParse({ type }).success).toBe(true);
  expect(schema.safeParse({ type, timeout: '1s' }).error?.issues).toMatchObject([
    { message: "unknown key 'timeout'; allowed: type" },
  ]);
});

it.each(['allow', 'deny'])('%s is not a type that a config can use', async type => {
  expect(await problems(configOf({ own: { type } }))).toEqual([
    `~.sources.own.type: must be one of ${TYPES}, not '${type}'`,
  ]);
});
