import { isJsonObject } from '../../lib/json-object';
import { parseDecision } from '../decision';
import { failed, type Answer } from '../source';

/**
 * The verdict in what a hosted policy returned. Keys that Backstage does not read are passed
 * over, as Backstage does.
 *
 * @param mayAbstain - whether NOT_APPLICABLE is an answer, too.
 */
export function readDecision(returned: unknown, mayAbstain: boolean): Answer {
  const copied = copyOf(returned);
  if ('problem' in copied) return failed('invalid', 'BAD_DECISION', copied.problem);
  const answer = parseDecision(copied.decision, 'the policy', mayAbstain);
  return answer.kind === 'NOT_APPLICABLE' && !mayAbstain
    ? failed(
        'invalid',
        'BAD_DECISION',
        'a policy of hostPolicy cannot abstain; bring one that does with addSource',
      )
    : answer;
}

type Copied = { readonly decision: unknown } | { readonly problem: string };

/** As the plugin that applies it will see it, so that the policy cannot change it any more. */
function copyOf(returned: unknown): Copied {
  if (Array.isArray(returned)) return { decision: [] };
  if (!isJsonObject(returned)) return { decision: returned };
  const read = fieldsOf(returned);
  if (!read) return { problem: 'the decision cannot be read' };
  const { conditions, ...rest } = read;
  if (rest.result !== 'CONDITIONAL') return { decision: { result: rest.result } };
  try {
    return { decision: { ...rest, conditions: conditions && jsonCopy(conditions) } };
  } catch {
    return { problem: 'conditions: cannot be written as JSON' };
  }
}

/** All of it is read, once, whatever the result; undefined where that throws. */
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

/** What is no text may be anything, and is not looked at. */
const textOrNull = (value: unknown): string | null =>
  typeof value === 'string' ? value : null;

/** No conditions of `maxConditionBytes` have more. */
const MAX_PARTS = 90_000;

/** @throws Error if there are too many parts: nodes that share children multiply in JSON. */
function jsonCopy(value: unknown): unknown {
  let parts = 0;
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (++parts > MAX_PARTS) throw new Error('too many parts');
    return part;
  });
  return JSON.parse(text) as unknown;
}
