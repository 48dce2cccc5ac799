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

describe('an error of thousands of problems', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => ({
    path: `permission.policyRouter.routes[${index}]`,
    message: 'is wrong',
  }));

  it('lists the first 50 and says how many there are', () => {
    const error = new ConfigError(many);
    expect(error.problems).toEqual(many.slice(0, 50));
    expect(error.message).toMatch(
      /^the policy router's config has 10000 errors, the first 50:\n {2}- .*routes\[0\]: is wrong\n/,
    );
    expect(error.message.split('\n')).toHaveLength(51);
  });

  it('may be given the first ones only', () => {
    const error = new ConfigError(many.slice(0, 50), 10_000);
    expect(error.message).toBe(new ConfigError(many).message);
  });

  it('says nothing of a first part if it lists all', () => {
    expect(new ConfigError(many.slice(0, 50)).message).toContain('has 50 errors:\n');
    expect(new ConfigError(many.slice(0, 51)).message).toContain(
      'has 51 errors, the first 50:\n',
    );
  });
});

it('an error cuts paths and messages at 500 characters', () => {
  const long = { path: 'p'.repeat(10_000), message: 'm'.repeat(10_000) };
  const error = new ConfigError(Array(50).fill(long));
  for (const each of error.problems) {
    expect(each).toEqual({
      path: `${'p'.repeat(499)}…`,
      message: `${'m'.repeat(499)}…`,
    });
  }
  expect(error.message.length).toBeLessThan(51_000);
});
