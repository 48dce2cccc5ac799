import { allowSource, denySource } from '../../../src/sources/constant/source';
import { permission, request } from '../../fixtures/builders';

it.each([
  ['allow', allowSource(), 'ALLOW'],
  ['deny', denySource(), 'DENY'],
])("the source '%s' gives the same answer to everything", (name, source, kind) => {
  for (const asked of [
    permission('tested.read', { action: 'read' }),
    permission('tested.delete', { action: 'delete', resourceType: 'tested' }),
  ]) {
    for (const refs of [[], ['user:default/olivia']]) {
      const answer = source.ask(request(asked, refs));
      expect(answer).toEqual({ kind, reason: `the source '${name}'` });
    }
  }
});
