/**
 * What the scaffolder (plugin-scaffolder-backend 4.2) does with the conditions that the router
 * returns. If a test fails here after an upgrade, the scaffolder has changed: correct the docs
 * rather than the code.
 */
import type { Permission } from '@backstage/plugin-permission-common';
import {
  authorize,
  basic,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { operations } from '../support/operations';
import { startOpa, type OpaServer } from '../support/opa-server';
import { SERVICE_TOKEN, startScaffolderBackend } from '../support/scaffolder';
import { readTask, ScaffolderClient } from '../support/scaffolder-client';
import {
  allowedIf,
  ALLOW,
  answer,
  createdBy,
  DENY,
  hasId,
  hasTag,
  scaffolderRouter,
} from '../support/scaffolder-policies';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const WELL_KNOWN = '/.well-known/backstage/permissions';
const VALUES = { message: 'hello', approval: 'given' };

let opa: OpaServer;
let backend: RunningBackend;
let petra: ScaffolderClient;
let service: ScaffolderClient;
let task: string;

const question = (
  name: string,
  resourceType: string,
  resourceRef: string,
): Question => ({
  permission: { type: 'resource', name, attributes: {}, resourceType },
  resourceRef,
});

const page = question(
  'scaffolder.template.parameter.read',
  'scaffolder-template',
  'template:default/new-service',
);
const action = question('scaffolder.action.execute', 'scaffolder-action', 'debug:log');
const sibling = basic('scaffolder.task.create', 'create');

describeWithOpa('the scaffolder today', () => {
  beforeAll(async () => {
    opa = await startOpa({
      binary: requireOpa(),
      policies: ['test/fixtures/policies/scaffolder.rego'],
    });
    await answer(opa, {});
    backend = await startScaffolderBackend({
      ...scaffolderRouter(opa, 'deny-overrides'),
      operators: ['user:default/petra'],
    });
    petra = new ScaffolderClient(backend.url, await backend.signIn('petra'));
    service = new ScaffolderClient(backend.url, SERVICE_TOKEN);
    await petra.templateIsIngested();
    task = (await petra.run(VALUES)).id;
  });

  afterAll(async () => {
    await backend.stop();
    await opa.stop();
  });

  describe('asked for a single resource', () => {
    const batchWith = (each: Question) =>
      authorize(backend.url, petra.token, [sibling, each, sibling]);

    it('applies the conditions on a task', async () => {
      await answer(opa, { 'scaffolder.task.read': allowedIf(createdBy('petra')) });
      expect(await batchWith(readTask(task))).toEqual({
        status: 200,
        results: ['ALLOW', 'ALLOW', 'ALLOW'],
      });
      await answer(opa, { 'scaffolder.task.read': allowedIf(createdBy('olivia')) });
      expect(await batchWith(readTask(task))).toEqual({
        status: 200,
        results: ['ALLOW', 'DENY', 'ALLOW'],
      });
    });

    it('fails the whole batch with 404 if a task does not exist', async () => {
      await answer(opa, { 'scaffolder.task.read': allowedIf(createdBy('petra')) });
      expect(await batchWith(readTask('no-such-task'))).toEqual({
        status: 404,
        results: [],
      });
    });

    it.each([
      { of: 'a template', asked: page, conditions: hasTag('red') },
      { of: 'an action', asked: action, conditions: hasId('debug:log') },
    ])(
      'fails the whole batch with 501 if the decision on $of is conditional',
      async ({ asked, conditions }) => {
        await answer(opa, { [asked.permission.name]: allowedIf(conditions) });
        const since = backend.logs.lines.length;
        expect(await batchWith(asked)).toEqual({ status: 501, results: [] });
        expect(
          backend.traces.findLast(
            ({ permission }) => permission?.name === asked.permission.name,
          ),
        ).toMatchObject({ result: 'CONDITIONAL' });
        const line = await backend.logs.waitFor(
          'Request failed with status 501',
          since,
        );
        expect(line).toMatchObject({
          level: 'error',
          meta: { plugin: 'scaffolder', name: 'NotImplementedError' },
        });
      },
    );

    it.each([
      { of: 'a template', asked: page, conditions: hasTag('red') },
      { of: 'an action', asked: action, conditions: hasId('debug:log') },
    ])('an explanation says that of $of', async ({ asked, conditions }) => {
      await answer(opa, { [asked.permission.name]: allowedIf(conditions) });
      const { body } = await operations(backend.url, petra.token).post('explain', {
        permission: asked.permission,
        resource: asked.resourceRef,
      });
      expect(body).toMatchObject({
        result: 'CONDITIONAL',
        resource: { problem: expect.stringContaining('HTTP 501') as unknown },
      });
      expect(body.resource).not.toHaveProperty('conditions');
    });

    it.each([
      { of: 'a template', asked: page },
      { of: 'an action', asked: action },
    ])('accepts an unconditional decision on $of', async ({ asked }) => {
      await answer(opa, { [asked.permission.name]: ALLOW });
      expect((await batchWith(asked)).results).toEqual(['ALLOW', 'ALLOW', 'ALLOW']);
      await answer(opa, { [asked.permission.name]: DENY });
      expect((await batchWith(asked)).results).toEqual(['ALLOW', 'DENY', 'ALLOW']);
    });
  });

  it('under a negated condition hides a task without a creator from lists but shows it singly', async () => {
    await answer(opa, {
      'scaffolder.task.read': allowedIf({ not: createdBy('nolan') }),
    });
    const unowned = (await service.run(VALUES)).id;
    expect(await petra.readable([task, unowned])).toEqual({
      list: [task],
      single: [task, unowned],
      authorize: [task, unowned],
    });
  });

  it('shows in the catalog the parameters and steps that it hides', async () => {
    await answer(opa, {
      'scaffolder.template.parameter.read': DENY,
      'scaffolder.template.step.read': DENY,
    });
    expect(await petra.pages()).toEqual([]);
    const response = await fetch(
      `${backend.url}/api/catalog/entities/by-name/template/default/new-service`,
      { headers: { authorization: `Bearer ${petra.token}` } },
    );
    const { spec } = (await response.json()) as { spec: Record<string, unknown[]> };
    expect([spec.parameters?.length, spec.steps?.length]).toEqual([4, 4]);
  });

  it('neither shows nor runs a template that the catalog hides', async () => {
    const resourceType = 'catalog-entity';
    const isTemplate = {
      resourceType,
      rule: 'IS_ENTITY_KIND',
      params: { kinds: ['template'] },
    };
    const hidden = {
      result: 'CONDITIONAL',
      pluginId: 'catalog',
      resourceType,
      conditions: { not: isTemplate },
    };
    await answer(opa, {}, { 'catalog.entity.read': hidden });
    expect((await petra.create(VALUES)).status).toBe(404);
    await expect(petra.pages()).rejects.toThrow('HTTP 404');
  });

  it('asks once for all actions of a task', async () => {
    await answer(opa, {});
    backend.traces.length = 0;
    expect((await petra.run(VALUES)).finished).toHaveLength(4);
    const names = backend.traces.map(({ permission }) => permission?.name);
    expect(names.filter(name => name === 'scaffolder.action.execute')).toHaveLength(1);
  });

  it('lists all actions regardless of the conditions on executing them', async () => {
    await answer(opa, { 'scaffolder.action.execute': DENY });
    const { body } = await petra.call<Array<{ id: string }>>('/v2/actions');
    expect(body.map(({ id }) => id)).toContain('debug:log');
  });

  describe('in a dry run', () => {
    const dryRun = (): Promise<number> =>
      petra.status('/v2/dry-run', {
        template: {
          apiVersion: 'scaffolder.backstage.io/v1beta3',
          kind: 'Template',
          metadata: { name: 'from-the-request' },
          spec: { type: 'service', steps: [{ id: 'log', action: 'debug:log' }] },
        },
        values: {},
        directoryContents: [],
      });

    it('runs the steps of the request regardless of the conditions on reading steps', async () => {
      await answer(opa, { 'scaffolder.template.step.read': DENY });
      expect(await dryRun()).toBe(200);
    });

    it('executes an internal action, which the conditions must also allow', async () => {
      const log = hasId('debug:log');
      await answer(opa, { 'scaffolder.action.execute': allowedIf(log) });
      expect(await dryRun()).toBe(403);
      const both = { anyOf: [log, hasId('dry-run:extract')] };
      await answer(opa, { 'scaffolder.action.execute': allowedIf(both) });
      expect(await dryRun()).toBe(200);
    });
  });

  describe('publishes', () => {
    interface Metadata {
      permissions: Array<Permission & { resourceType?: string }>;
      rules: Array<{
        name: string;
        resourceType: string;
        paramsSchema: { properties: object; required: string[] };
      }>;
    }
    const metadata = async (): Promise<Metadata> =>
      (await petra.call<Metadata>(`${WELL_KNOWN}/metadata`)).body;

    it('its permissions', async () => {
      const { permissions } = await metadata();
      expect(
        permissions.map(({ name, resourceType, attributes }) =>
          [name, resourceType ?? 'basic', attributes.action ?? '-'].join(' '),
        ),
      ).toEqual([
        'scaffolder.template.dry-run basic -',
        'scaffolder.template.parameter.read scaffolder-template read',
        'scaffolder.template.step.read scaffolder-template read',
        'scaffolder.action.execute scaffolder-action -',
        'scaffolder.task.cancel scaffolder-task -',
        'scaffolder.task.create basic create',
        'scaffolder.task.read scaffolder-task read',
        'scaffolder.template.management basic -',
      ]);
    });

    it('its rules', async () => {
      const { rules } = await metadata();
      expect(
        rules.map(({ name, resourceType, paramsSchema: { properties, required } }) =>
          [resourceType, name, Object.keys(properties), required].join(' '),
        ),
      ).toEqual([
        'scaffolder-template HAS_TAG tag tag',
        'scaffolder-action HAS_ACTION_ID actionId actionId',
        'scaffolder-action HAS_BOOLEAN_PROPERTY key,value key',
        'scaffolder-action HAS_NUMBER_PROPERTY key,value key',
        'scaffolder-action HAS_STRING_PROPERTY key,value key',
        'scaffolder-task IS_TASK_OWNER createdBy createdBy',
      ]);
      for (const { paramsSchema } of rules) {
        expect(paramsSchema).toMatchObject({
          type: 'object',
          additionalProperties: false,
          $schema: 'http://json-schema.org/draft-07/schema#',
        });
      }
    });

    // Asks the plugin directly, because the router checks parameters itself.
    it.each([
      { what: 'owners', params: { createdBy: ['user:default/petra'] }, status: 200 },
      { what: 'no owners', params: { createdBy: [] }, status: 200 },
      {
        what: 'a key that its schema does not allow',
        params: { createdBy: ['user:default/petra'], more: true },
        status: 200,
      },
      { what: 'a string', params: { createdBy: 'user:default/petra' }, status: 400 },
      { what: 'a missing parameter', params: {}, status: 400 },
      { what: 'missing params', params: undefined, status: 400 },
    ])('a schema, and answers $status for $what', async ({ params, status }) => {
      const resourceType = 'scaffolder-task';
      const conditions = { rule: 'IS_TASK_OWNER', resourceType, params };
      const items = [{ id: '1', resourceRef: task, resourceType, conditions }];
      expect(await service.status(`${WELL_KNOWN}/apply-conditions`, { items })).toBe(
        status,
      );
    });
  });
});
