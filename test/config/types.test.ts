import { ConfigError } from '../../src/config/types';

const problem = { path: 'permission.policyRouter.routes', message: 'is required' };
const other = { path: './routing.yaml', message: 'is not a file' };

it.each([
  [
    'one problem',
    [problem],
    "the policy router's config has 1 error:\n" +
      '  - permission.policyRouter.routes: is required',
  ],
  [
    'several problems',
    [problem, other],
    "the policy router's config has 2 errors:\n" +
      '  - permission.policyRouter.routes: is required\n' +
      '  - ./routing.yaml: is not a file',
  ],
])('an error of the config lists %s', (_what, problems, message) => {
  const error = new ConfigError(problems);
  expect(error.name).toBe('PolicyRouterConfigError');
  expect(error.message).toBe(message);
  expect(error.problems).toEqual(problems);
});
