/** The reason that a Rego policy gives: in the record of a decision, and nowhere else. */
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { onEntity, startBackend, type RunningBackend } from '../support/backend';
import { startOpa, type OpaServer } from '../support/opa-server';
import { buildBundle } from '../support/wasm-bundle';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const ENTRYPOINT = 'explained/decision';

const REGO = `package explained

import rego.v1

decision := {"result": "DENY", "reason": reason} if input.permission.name == "catalog.entity.delete"

decision := {"result": "CONDITIONAL", "reason": reason, "pluginId": "catalog", "resourceType": "catalog-entity", "conditions": {"resourceType": "catalog-entity", "rule": "IS_ENTITY_KIND", "params": {"kinds": ["Component"]}}} if input.permission.name == "catalog.entity.read"

reason := sprintf("the freeze of \\u001b[31mteam\\u001b[0m\\npayments holds for %s", [input.identity.user])
`;

const SHOWN = 'the freeze of team payments holds for user:default/olivia';

describeWithOpa('the reason of a Rego policy', () => {
  let opa: OpaServer;
  let backend: RunningBackend;
  let olivia: string;

  beforeAll(async () => {
    opa = await startOpa({ binary: requireOpa() });
    await fetch(`${opa.url}/v1/policies/explained`, { method: 'PUT', body: REGO });
    backend = await startBackend({
      policyRouter: { fallback: 'deny', routes: [{ prefix: 'no', sources: ['deny'] }] },
    });
    const bundle = join(backend.folder, 'explained.tar.gz');
    await writeFile(bundle, await buildBundle(requireOpa(), REGO, ENTRYPOINT));
    const loaded = backend.logs.waitFor('The changed config is in use');
    await backend.writeConfig({
      fallback: 'deny',
      sources: {
        opa: { type: 'opa', baseUrl: opa.url, entrypoint: ENTRYPOINT },
        embedded: { type: 'opa-wasm', bundle, entrypoint: ENTRYPOINT },
      },
      routes: [
        { prefix: 'catalog.entity.delete', sources: ['opa'] },
        { prefix: 'catalog.entity.read', sources: ['embedded', 'opa'] },
      ],
    });
    await loaded;
    olivia = await backend.signIn('olivia');
  });

  afterAll(async () => {
    await backend?.stop();
    await opa?.stop();
  });

  it('is in the record of both kinds of source, but not in the answer or another log line', async () => {
    const since = backend.logs.lines.length;
    // The same question twice shares one answer; the other is asked of the embedded policy too.
    const questions = [
      onEntity('catalog.entity.delete', 'delete'),
      onEntity('catalog.entity.delete', 'delete'),
      onEntity('catalog.entity.read', 'read'),
    ];
    const response = await fetch(`${backend.url}/api/permission/authorize`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${olivia}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        items: questions.map((question, index) => ({ id: `${index}`, ...question })),
      }),
    });
    expect(response.status).toBe(200);
    const said = await response.text();
    expect(JSON.parse(said)).toMatchObject({
      items: [{ result: 'DENY' }, { result: 'DENY' }, { id: '2' }],
    });
    expect(said).not.toMatch(/freeze|reason/);

    const denied = `the Rego policy says DENY: ${SHOWN}`;
    const conditional = `the Rego policy says CONDITIONAL: ${SHOWN}`;
    expect(
      backend.traces.slice(-3).map(({ sources, failure }) => ({
        reasons: sources.map(({ reason }) => reason),
        failure,
      })),
    ).toEqual([
      { reasons: [denied], failure: undefined },
      { reasons: [denied], failure: undefined },
      { reasons: [conditional, conditional], failure: undefined },
    ]);
    const lines = backend.logs.lines.slice(since);
    // The audit has it too: it is not for callers either.
    const isShown = ({ level, message, meta }: (typeof lines)[number]): boolean =>
      message.includes('freeze') ||
      (level !== 'debug' &&
        !JSON.stringify(meta).includes('isAuditEvent') &&
        JSON.stringify(meta).includes('freeze'));
    expect(lines.filter(isShown)).toEqual([]);
  });
});
