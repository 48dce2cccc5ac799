/**
 * Questions that leave out what the plugin declares, as the new frontend asks them, on a real
 * backend with plugins that declare, answer wrongly, late or never.
 */
import type { Response } from 'express';
import {
  authorize,
  basic,
  onEntity,
  startBackend,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { allIngested } from '../support/ingestion';
import { until } from '../support/until';
import { answering, askingOnBehalf, declaring } from '../fixtures/declaring-plugins';

/**
 * How `@backstage/frontend-app-api` 1.0.0 asks for each permission of an `if` predicate
 * (`wiring/predicates`): `name` or `name#action`, always a basic permission.
 */
function asFrontend(reference: string): Question {
  const [name, action] = reference.split('#');
  const attributes = action === undefined ? undefined : { action };
  return {
    permission: { name: name!, type: 'basic', attributes: attributes || {} },
  } as Question;
}

const SOURCES = {
  ownership: { type: 'ownership', bypass: ['group:default/platform'] },
};
const ROUTES = [
  { prefix: 'catalog', actions: ['read'], sources: ['allow'] },
  {
    prefix: 'catalog.entity',
    actions: ['delete'],
    resourceTypes: ['catalog-entity'],
    sources: ['ownership'],
  },
  { prefix: 'twice', actions: ['read'], sources: ['allow'] },
  { prefix: 'late', actions: ['read'], sources: ['allow'] },
];
const policyRouter = (whenAskedWithoutResource?: string): object => ({
  fallback: 'deny',
  sources: SOURCES,
  routes: ROUTES,
  ...(whenAskedWithoutResource === undefined ? {} : { whenAskedWithoutResource }),
});

let backend: RunningBackend;
/** The late plugin holds its answers until it is released. */
const held: Response[] = [];
let isReleased = false;
const LATE = { permissions: [basic('late.thing', 'read').permission], rules: [] };

const releaseLate = (): void => {
  isReleased = true;
  for (const response of held.splice(0)) response.json(LATE);
};

const tokens: Record<string, string> = {};

beforeAll(async () => {
  backend = await startBackend({
    policyRouter: policyRouter(),
    features: [
      declaring('twice-a', 'twice.thing'),
      declaring('twice-b', 'twice.thing'),
      answering('page', (_, response) => void response.send('<!doctype html>')),
      answering('late', (_, response) => {
        if (isReleased) response.json(LATE);
        else held.push(response);
      }),
      askingOnBehalf('asker'),
    ],
  });
  for (const name of ['olivia', 'nolan', 'petra']) {
    tokens[name] = await backend.signIn(name);
  }
  await allIngested(backend.url, tokens.petra!);
});
afterAll(async () => {
  releaseLate();
  await backend.stop();
});

async function ask(name: string, question: Question): Promise<string> {
  const { status, results } = await authorize(backend.url, tokens[name], [question]);
  expect(status).toBe(200);
  return results[0]!;
}
const lastTrace = () => backend.traces.at(-1)!;

/** Until what `catalog` declares is known; what is late is not waited for. */
const untilRead = () =>
  until(async () => {
    await ask('nolan', asFrontend('catalog.entity.read'));
    return lastTrace().declared === 'completed';
  }, 'the permissions of the catalog are known');

it('decides a name that is not known yet as it is asked, without waiting', async () => {
  await untilRead();
  await expect(ask('nolan', asFrontend('late.thing'))).resolves.toBe('DENY');
  expect(lastTrace()).toMatchObject({ declared: 'unread', asked: undefined });
});

it('completes what the frontend asks by name', async () => {
  await untilRead();
  await expect(ask('nolan', asFrontend('catalog.entity.read'))).resolves.toBe('ALLOW');
  expect(lastTrace()).toMatchObject({
    declared: 'completed',
    asked: { type: 'basic', attributes: {} },
    permission: {
      type: 'resource',
      attributes: { action: 'read' },
      resourceType: 'catalog-entity',
    },
    route: "'catalog' [read]",
  });
  await expect(ask('nolan', asFrontend('catalog.location.read#read'))).resolves.toBe(
    'ALLOW',
  );
  expect(lastTrace().declared).toBeUndefined();
});

it.each(['catalog.entity.delete', 'catalog.entity.delete#delete'])(
  'says no where %s depends on the resource',
  async reference => {
    await untilRead();
    await expect(ask('petra', asFrontend(reference))).resolves.toBe('ALLOW');
    expect(lastTrace()).toMatchObject({ withoutResource: undefined });
    for (const name of ['olivia', 'nolan']) {
      await expect(ask(name, asFrontend(reference))).resolves.toBe('DENY');
      expect(lastTrace()).toMatchObject({
        withoutResource: true,
        reason: 'allowed for some resources; asked without a resource',
        route: "'catalog.entity' [delete] catalog-entity",
      });
    }
  },
);

it('decides as asked what says something else, and warns once', async () => {
  await untilRead();
  for (let times = 0; times < 2; times += 1) {
    await expect(ask('nolan', asFrontend('catalog.entity.delete#read'))).resolves.toBe(
      'ALLOW',
    );
  }
  expect(lastTrace()).toMatchObject({
    declared: 'differs',
    route: "'catalog' [read]",
  });
  const warning =
    '"catalog.entity.delete" was asked as a basic permission with the action "read", but plugin ' +
    '"catalog" declares a permission for resources of type "catalog-entity" with the action ' +
    '"delete". It is decided as it was asked';
  expect(backend.logs.lines.filter(({ message }) => message === warning)).toHaveLength(
    1,
  );
});

it('decides as asked what two plugins declare', async () => {
  await untilRead();
  await expect(ask('nolan', asFrontend('twice.thing'))).resolves.toBe('DENY');
  expect(lastTrace().declared).toBe('several');
  await expect(ask('nolan', asFrontend('twice.thing#read'))).resolves.toBe('ALLOW');
  await backend.logs.waitFor("Declared more than once: 'twice.thing'");
});

it('decides what says everything as before', async () => {
  await untilRead();
  const question = onEntity('catalog.entity.delete', 'delete');
  await expect(ask('olivia', question)).resolves.toBe('ALLOW');
  await expect(ask('nolan', question)).resolves.toBe('DENY');
  expect(lastTrace()).toMatchObject({ declared: undefined, asked: undefined });
});

it('reads a plugin that was late', async () => {
  releaseLate();
  await until(
    async () => (await ask('nolan', asFrontend('late.thing'))) === 'ALLOW',
    'it is read',
  );
  await until(async () => {
    await expect(ask('nolan', asFrontend('unknown.thing'))).resolves.toBe('DENY');
    return lastTrace().declared === 'none';
  }, 'all plugins are read, also those that declare nothing or let no service in');
});

describe('whenAskedWithoutResource: allow', () => {
  beforeAll(async () => {
    const since = backend.logs.lines.length;
    await backend.writeConfig(policyRouter('allow'));
    await backend.logs.waitFor('The changed config is in use', since);
    await untilRead();
  });

  it('lets a user see what depends on the resource', async () => {
    await expect(ask('nolan', asFrontend('catalog.entity.delete'))).resolves.toBe(
      'ALLOW',
    );
    expect(lastTrace()).toMatchObject({
      withoutResource: true,
      reason:
        'allowed for some resources; asked without a resource (whenAskedWithoutResource: allow)',
    });
    const onResource = onEntity('catalog.entity.delete', 'delete');
    await expect(ask('nolan', onResource)).resolves.toBe('DENY');
  });

  it('is not for a service that asks on behalf of the user', async () => {
    const answer = await fetch(`${backend.url}/api/asker/?name=catalog.entity.delete`, {
      headers: { authorization: `Bearer ${tokens.nolan}` },
    });
    await expect(answer.json()).resolves.toMatchObject({ result: 'DENY' });
    expect(lastTrace()).toMatchObject({
      user: 'user:default/nolan',
      withoutResource: true,
      reason:
        'allowed for some resources; asked without a resource, by a service on behalf of the user',
    });
  });
});
