import type { Entity } from '@backstage/catalog-model';
import { processed, readEntities, refOf } from '../../../src/cli/local/entities';
import { CliError } from '../../../src/cli/exit-code';

const component = (spec: object): Entity => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'Website' },
  spec: { type: 'website', lifecycle: 'production', ...spec },
});

it('an entity gets its namespace and the relations of its kind', async () => {
  const entity = component({ owner: 'search', system: 'web' });
  const { metadata, relations } = await processed(entity);
  expect(metadata.namespace).toBe('default');
  expect(relations).toEqual([
    { type: 'ownedBy', targetRef: 'group:default/search' },
    { type: 'partOf', targetRef: 'system:default/web' },
  ]);
  expect(entity.relations).toBeUndefined();
});

it('a template has an owner too', async () => {
  const template: Entity = {
    apiVersion: 'scaffolder.backstage.io/v1beta3',
    kind: 'Template',
    metadata: { name: 'cluster', namespace: 'infra' },
    spec: { type: 'service', owner: 'user:olivia', steps: [] },
  };
  const { relations } = await processed(template);
  expect(relations).toEqual([{ type: 'ownedBy', targetRef: 'user:infra/olivia' }]);
  expect(refOf(template)).toBe('template:infra/cluster');
});

it('what the catalog would refuse is an error that names the entity', async () => {
  const failed = processed(component({}));
  await expect(failed).rejects.toThrow(CliError);
  await expect(failed).rejects.toThrow(/^component:default\/website: .*owner/);
});

it('a file that is not there is an error that names it', () => {
  expect(() => readEntities('nowhere.yaml')).toThrow(
    'nowhere.yaml cannot be read: there is no such file',
  );
});
