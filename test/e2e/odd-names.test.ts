/** Permissions whose names are not words joined by dots, as some plugins make them from what users call things. */
import {
  authorize,
  basic,
  startBackend,
  type RunningBackend,
} from '../support/backend';

let backend: RunningBackend;
let olivia: string;

beforeAll(async () => {
  backend = await startBackend({
    policyRouter: {
      fallback: 'deny',
      routes: [
        { prefix: 'ros/', sources: ['deny'] },
        { name: 'ros/Openshift on Azure', sources: ['allow'] },
        { prefix: 'ros/Openshift on Azure/', sources: ['allow'] },
        {
          name: 'ros/Openshift on Azure/payroll, 2026',
          actions: ['read'],
          sources: ['deny'],
        },
        { prefix: 'cost/', actions: ['read'], sources: ['allow'] },
        { prefix: 'cost', sources: ['deny'] },
      ],
    },
  });
  olivia = await backend.signIn('olivia');
});

afterAll(() => backend.stop());

it.each<
  [
    name: string,
    action: 'read' | 'update' | 'delete',
    expected: string,
    route: string | undefined,
  ]
>([
  ['ros/Openshift on Azure/mobile', 'read', 'ALLOW', "2 'ros/Openshift on Azure/'"],
  ['ros/Openshift on Azure', 'read', 'ALLOW', "1 name 'ros/Openshift on Azure'"],
  [
    'ros/Openshift on Azure/payroll, 2026',
    'read',
    'DENY',
    "3 name 'ros/Openshift on Azure/payroll, 2026' [read]",
  ],
  [
    'ros/Openshift on Azure/payroll, 2026',
    'update',
    'ALLOW',
    "2 'ros/Openshift on Azure/'",
  ],
  ['ros/Openshift on AWS/mobile', 'read', 'DENY', "0 'ros/'"],
  ['cost/a b', 'read', 'ALLOW', "4 'cost/' [read]"],
  ['cost/a b', 'delete', 'DENY', undefined],
  ['cost.a', 'read', 'DENY', "5 'cost'"],
  ['ros', 'read', 'DENY', undefined],
])('%s [%s] is decided as %s', async (name, action, expected, route) => {
  const since = backend.traces.length;
  const { status, results } = await authorize(backend.url, olivia, [
    basic(name, action),
  ]);
  expect([status, results]).toEqual([200, [expected]]);
  const [trace, ...others] = backend.traces.slice(since);
  expect(others).toEqual([]);
  expect([trace?.routeIndex, trace?.route].join(' ').trim()).toBe(route ?? 'fallback');
});

it('a name is warned about as a prefix is, and its characters are not', () => {
  const warnings = backend.logs.lines.filter(
    ({ level, message }) => level === 'warn' && message.includes('routes['),
  );
  expect(warnings.map(({ message }) => message)).toEqual([
    "name 'ros/Openshift on Azure/payroll, 2026' [read] (permission.policyRouter.routes[3]): " +
      'other permissions of this name (create, update, delete, none) fall to ' +
      "'ros/Openshift on Azure/', which allows what no source denies",
  ]);
});
