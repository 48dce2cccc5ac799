/** The config that users copy, on a real backend: what each persona may do. */
import type { Permission } from '@backstage/plugin-permission-common';
import { CHECKS, catalogNames, decide } from '../../dev/checks';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type RunningBackend,
} from '../support/backend';
import { allIngested } from '../support/ingestion';
import { withoutDigests } from '../support/digest';

let backend: RunningBackend;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  backend = await startBackend({
    configFiles: [
      'config/app-config.embedded.yaml',
      'test/fixtures/app-config.patient.yaml',
    ],
  });
  for (const name of ['olivia', 'nolan', 'petra'])
    tokens[name] = await backend.signIn(name);
  await allIngested(backend.url, tokens.petra!);
});

afterAll(() => backend.stop());

describe('the committed config', () => {
  it('decides the sample checks as the README says', async () => {
    const rows: string[] = [];
    const decisions = new Map<string, string[]>();
    for (const name of Object.keys(tokens)) {
      const decided = await decide(backend.url, tokens[name]!, backend.traces);
      decisions.set(
        name,
        decided.map(({ result }) => result),
      );
    }
    CHECKS.forEach(({ permission, resourceRef }, index) => {
      const results = [...decisions.values()].map(each => each[index]);
      rows.push(
        [permission.name, resourceRef?.split('/')[1] ?? '-', ...results].join(' '),
      );
    });
    expect(rows).toEqual([
      'catalog.entity.read payments-api ALLOW ALLOW ALLOW',
      'catalog.entity.read payments-ledger ALLOW DENY ALLOW',
      'catalog.entity.refresh payments-api ALLOW DENY ALLOW',
      'catalog.entity.delete payments-api ALLOW DENY ALLOW',
      'catalog.entity.delete payments-vault DENY DENY ALLOW',
      'catalog.entity.delete search-ui DENY ALLOW ALLOW',
      'catalog.entity.create - DENY DENY ALLOW',
      'catalog.entity.validate - DENY DENY ALLOW',
      'catalog.location.read - ALLOW ALLOW ALLOW',
      'catalog.location.create - DENY DENY ALLOW',
      'catalog.location.delete - DENY DENY ALLOW',
      'scaffolder.template.parameter.read new-service ALLOW ALLOW ALLOW',
      'devtools.config - DENY DENY ALLOW',
      'billing.invoice.create - DENY DENY DENY',
    ]);
  });

  it('filters a list by the conditional read', async () => {
    expect(await catalogNames(backend.url, tokens.nolan!)).toEqual([
      'payments-api',
      'payments-vault',
      'search-ui',
    ]);
    expect(await catalogNames(backend.url, tokens.olivia!)).toContain(
      'payments-ledger',
    );
  });

  it('does not allow everyone any writing permission that the plugins publish', async () => {
    const published = await publishedPermissions(backend.url, tokens.petra!);
    expect(published.length).toBeGreaterThanOrEqual(11);
    const writing = published.filter(({ attributes }) => attributes.action !== 'read');
    const { results } = await authorize(
      backend.url,
      tokens.nolan,
      writing.map(permission =>
        permission.type === 'resource'
          ? { permission, resourceRef: 'component:default/payments-api' }
          : { permission },
      ),
    );
    expect(results).toEqual(writing.map(() => 'DENY'));
  });

  it('denies the writing permissions of plugins that are not installed here', async () => {
    const { results } = await authorize(backend.url, tokens.nolan, [
      basic('scaffolder.template.dry-run'),
      basic('scaffolder.template.management'),
      basic('kubernetes.proxy'),
      basic('kubernetes.clusters.read', 'read'),
      basic('some.secret.read', 'read'),
      basic('some.new.permission'),
    ]);
    expect(new Set(results)).toEqual(new Set(['DENY']));
  });

  it('denies entity permissions asked by name only, without a warning', async () => {
    const { results } = await authorize(backend.url, tokens.olivia, [
      basic('catalog.entity.read'),
      basic('catalog.entity.read', 'read'),
      basic('catalog.entity.delete', 'delete'),
      basic('catalog.entity.refresh', 'update'),
    ]);
    expect(results).toEqual(['DENY', 'DENY', 'DENY', 'DENY']);
    const invalid = backend.logs.lines.filter(({ message }) =>
      message.includes(' is invalid ['),
    );
    expect(invalid).toEqual([]);
  });

  it('denies a request without a user', async () => {
    const anonymous = await authorize(backend.url, undefined, [
      onEntity('catalog.entity.read', 'read'),
    ]);
    expect([401, 200]).toContain(anonymous.status);
    expect(anonymous.results).not.toContain('ALLOW');
  });
});

describe('the start', () => {
  it('logs in one line what is in effect', async () => {
    const line = await backend.logs.waitFor(
      'The policy router is the permission policy',
    );
    expect(line.level).toBe('info');
    expect(withoutDigests(line.message)).toBe(
      'The policy router is the permission policy: 12 routes, 3 sources (opa, ownership, allow). ' +
        'A permission no route matches gets DENY. Digest <digest>.',
    );
  });

  it('warns of nothing', () => {
    expect(backend.logs.lines.filter(line => line.level === 'warn')).toEqual([]);
  });
});

async function publishedPermissions(url: string, token: string): Promise<Permission[]> {
  const response = await fetch(
    `${url}/api/catalog/.well-known/backstage/permissions/metadata`,
    { headers: { authorization: `Bearer ${token}` } },
  );
  const body = (await response.json()) as { permissions: Permission[] };
  return body.permissions;
}
