import type { Answer } from '../answer';
import type { PermissionRequest, Principal } from '../request';
import type { LocalSource } from './source';

/** A source that is also given the key of the question. */
export interface KeyedSource {
  ask(request: PermissionRequest, key: string): Answer;
  close(): Promise<void>;
}

/**
 * The source, asked each question only once for a principal. A principal lives as long as its
 * batch, so nothing is kept longer than that. Backstage asks the same question for each entity of
 * a list, and a source that decides in this process holds the event loop meanwhile.
 *
 * @param keyOf - equal for questions that the source cannot tell apart, if the principal is the same.
 */
export function askedOnce(
  source: KeyedSource,
  keyOf: (permission: PermissionRequest['permission']) => string,
): LocalSource {
  const answers = new WeakMap<Principal, Map<string, Answer>>();
  return {
    ask(request) {
      const { principal, permission } = request;
      let known = answers.get(principal);
      if (!known) answers.set(principal, (known = new Map<string, Answer>()));
      const key = keyOf(permission);
      let answer = known.get(key);
      if (!answer) known.set(key, (answer = source.ask(request, key)));
      return answer;
    },
    close: () => source.close(),
  };
}
