/** Backstage's allow-all module, unmodified, as one source among others. */
import allowAllModule from '@backstage/plugin-permission-backend-module-allow-all-policy';
import { hostPolicy } from '../../../src/index';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../../support/backend';
import { verdictsByPermission } from '../../support/verdicts-by-permission';

let backend: RunningBackend;
let olivia: string;

beforeAll(async () => {
  backend = await startBackend({
    features: [hostPolicy('everybody', allowAllModule)],
    policyRouter: {
      fallback: 'deny',
      sources: { everybody: { type: 'hosted' }, owners: { type: 'ownership' } },
      routes: [
        { prefix: 'docs', sources: ['everybody'] },
        { prefix: 'docs.draft', sources: ['deny'] },
        { prefix: 'catalog', sources: ['owners'] },
      ],
    },
  });
  olivia = await backend.signIn('olivia');
});
afterAll(() => backend.stop());

const UI = 'component:default/search-ui';

it('hosted allow-all decides what is routed to it, and the table decides the rest', async () => {
  const { status, results } = await authorize(backend.url, olivia, [
    basic('docs.page.create', 'create'),
    basic('docs.draft.create', 'create'),
    basic('docsearch.read', 'read'),
    onEntity('docs.page.read', 'read', UI),
    onEntity('catalog.entity.refresh', 'update'),
    onEntity('catalog.entity.refresh', 'update', UI),
  ]);
  expect(status).toBe(200);
  expect(results).toEqual(['ALLOW', 'DENY', 'DENY', 'ALLOW', 'ALLOW', 'DENY']);
});

it('hosted allow-all is named only in the traces of what it decided', () => {
  expect(verdictsByPermission(backend.traces)).toEqual({
    'docs.page.create': ["'docs'", 'everybody: ALLOW'],
    'docs.page.read': ["'docs'", 'everybody: ALLOW'],
    'docs.draft.create': ["'docs.draft'", 'deny: DENY'],
    'docsearch.read': ['fallback'],
    'catalog.entity.refresh': ["'catalog'", 'owners: CONDITIONAL'],
  });
});
