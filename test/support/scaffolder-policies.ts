import type { OpaServer } from './opa-server';

export const ALLOW = { result: 'ALLOW' };
export const DENY = { result: 'DENY' };

/** Routes that ask ownership and the two policies of `scaffolder.rego`. */
export function scaffolderRouter(opa: OpaServer, combine: string): object {
  const policy = (name: string): object => ({
    type: 'opa',
    baseUrl: opa.url,
    entrypoint: `scaffolder_policy/${name}`,
  });
  return {
    fallback: 'deny',
    sources: {
      ownership: { type: 'ownership', bypass: ['group:default/platform'] },
      first: policy('first'),
      second: policy('second'),
    },
    routes: [
      { prefix: 'catalog', sources: ['second'], default: 'allow' },
      { prefix: 'scaffolder', sources: ['first'], default: 'allow' },
      {
        prefix: 'scaffolder.task',
        resourceTypes: ['scaffolder-task'],
        sources: ['ownership', 'first'],
        combine,
      },
      ...['scaffolder.template', 'scaffolder.action'].map(prefix => ({
        prefix,
        sources: ['first', 'second'],
        combine,
        default: 'allow',
      })),
    ],
  };
}

/** A policy's decisions by permission name; it abstains on all others. */
export type Answers = Readonly<Record<string, object>>;

/** Sets what the two policies answer. */
export async function answer(
  opa: OpaServer,
  first: Answers,
  second: Answers = {},
): Promise<void> {
  const response = await fetch(`${opa.url}/v1/data/answers`, {
    method: 'PUT',
    body: JSON.stringify({ first, second }),
  });
  if (!response.ok) throw new Error(`OPA answered HTTP ${response.status}`);
}

const condition =
  (resourceType: string) =>
  (rule: string, params: object): object => ({ resourceType, rule, params });

const onTask = condition('scaffolder-task');
const onTemplate = condition('scaffolder-template');
const onAction = condition('scaffolder-action');

export const createdBy = (...names: readonly string[]): object =>
  onTask('IS_TASK_OWNER', { createdBy: names.map(name => `user:default/${name}`) });

export const hasTag = (tag: string): object => onTemplate('HAS_TAG', { tag });

export const hasId = (actionId: string): object =>
  onAction('HAS_ACTION_ID', { actionId });

/** Uses the rule for the type of the value. */
export const hasProperty = (key: string, value: string | number | boolean): object =>
  onAction(`HAS_${(typeof value).toUpperCase()}_PROPERTY`, { key, value });

/** A conditional decision on the resource type its conditions name. */
export function allowedIf(conditions: object): object {
  const resourceType = /"resourceType":"([^"]*)"/.exec(JSON.stringify(conditions))?.[1];
  return { result: 'CONDITIONAL', pluginId: 'scaffolder', resourceType, conditions };
}
