import * as packageExports from '../src';

it('exports what a backend and modules of policies need, and nothing else', () => {
  expect(Object.keys(packageExports).sort()).toEqual([
    'default',
    'hostPolicy',
    'policySourceExtensionPoint',
  ]);
  expect(packageExports.default).toMatchObject({ $$type: '@backstage/BackendFeature' });
});
