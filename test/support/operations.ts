/** Calls of the operations API, each answer held against docs/openapi.yaml. */
import { answerProblems } from './openapi';

/** An answer. */
export interface Reply {
  readonly status: number;
  /** As JSON. */
  readonly body: Record<string, unknown>;
}

export interface Operations {
  get(path: string): Promise<Reply>;
  post(path: string, body: unknown): Promise<Reply>;
}

/** The path as the document has it. */
const templateOf = (path: string): string =>
  `/${path.replace(/\?.*/, '').replace(/^decisions\/.+/, 'decisions/{number}')}`;

/**
 * @param url - of the backend.
 * @param token - of a user or a service; undefined for a call without credentials.
 */
export function operations(url: string, token: string | undefined): Operations {
  const call = async (path: string, init: RequestInit = {}): Promise<Reply> => {
    const response = await fetch(`${url}/api/policy-router/v1/${path}`, {
      ...init,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    });
    const body = (await response.json()) as Reply['body'];
    const method = init.method === 'POST' ? 'post' : 'get';
    const problems = answerProblems(method, templateOf(path), response.status, body);
    if (problems.length > 0) {
      throw new Error(`not as in docs/openapi.yaml:\n${problems.join('\n')}`);
    }
    return { status: response.status, body };
  };
  return {
    get: path => call(path),
    post: (path, body) => call(path, { method: 'POST', body: JSON.stringify(body) }),
  };
}
