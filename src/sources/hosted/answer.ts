import { failed, type Answer } from '../../answer';
import { isJsonObject } from '../../lib/json-object';
import { readDecision } from '../decision';

/**
 * The verdict in what a hosted policy returned. Keys that Backstage does not read are ignored,
 * as Backstage does.
 *
 * @param mayAbstain - whether NOT_APPLICABLE is accepted.
 */
export function hostedAnswer(returned: unknown, mayAbstain: boolean): Answer {
  const copied = copyOf(returned);
  if ('problem' in copied) return failed('invalid', 'BAD_DECISION', copied.problem);
  const answer = readDecision(copied.decision, { who: 'the policy', mayAbstain });
  return answer.kind === 'NOT_APPLICABLE' && !mayAbstain
    ? failed(
        'invalid',
        'BAD_DECISION',
        'a policy wrapped by hostPolicy cannot abstain; provide it with addSource to let it abstain',
      )
    : answer;
}

type Copied = { readonly decision: unknown } | { readonly problem: string };

/** As the plugin that applies it will see it; the policy cannot change the copy later. */
function copyOf(returned: unknown): Copied {
  if (Array.isArray(returned)) return { decision: [] };
  if (!isJsonObject(returned)) return { decision: returned };
  const read = fieldsOf(returned);
  if (!read) return { problem: 'the decision cannot be read' };
  const { conditions, ...rest } = read;
  if (rest.result !== 'CONDITIONAL') return { decision: { result: rest.result } };
  try {
    const copy = conditions && readKeysOnly(jsonCopy(conditions));
    return { decision: { ...rest, conditions: copy } };
  } catch {
    return { problem: 'conditions: cannot be written as JSON' };
  }
}

/** Every field is read exactly once, whatever the result; undefined if reading throws. */
function fieldsOf(returned: Record<string, unknown>) {
  try {
    const { result, pluginId, resourceType, conditions } = returned;
    return {
      result: textOrNull(result),
      pluginId: textOrNull(pluginId),
      resourceType: textOrNull(resourceType),
      conditions,
    };
  } catch {
    return undefined;
  }
}

/** Reading anything but a string could run the policy's code, so it is not looked at. */
const textOrNull = (value: unknown): string | null =>
  typeof value === 'string' ? value : null;

const CRITERIA = ['allOf', 'anyOf', 'not'] as const;

/**
 * Conditions without the keys that Backstage does not read: alone they would not matter. Nodes
 * that Backstage could read in two ways, or not at all, stay as they are and are refused later.
 */
function readKeysOnly(node: unknown): unknown {
  if (!isJsonObject(node)) return node;
  const [key, ...others] = CRITERIA.filter(each => Object.hasOwn(node, each));
  if (others.length > 0) return node;
  if (!Object.hasOwn(node, 'rule'))
    return key === undefined ? node : only(key, node[key]);
  if (key !== undefined) return node;
  const { rule, resourceType, params } = node;
  return { rule, resourceType, ...(params === undefined ? {} : { params }) };
}

const only = (key: (typeof CRITERIA)[number], child: unknown): unknown => ({
  [key]: Array.isArray(child) ? child.map(readKeysOnly) : readKeysOnly(child),
});

/** Conditions within `maxConditionBytes` cannot have more parts. */
const MAX_PARTS = 90_000;

/** @throws Error if there are too many parts: shared children multiply in JSON. */
function jsonCopy(value: unknown): unknown {
  let parts = 0;
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (++parts > MAX_PARTS) throw new Error('too many parts');
    return part;
  });
  return JSON.parse(text) as unknown;
}
