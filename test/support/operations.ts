/** Calls of the operations API. */
export interface Reply {
  readonly status: number;
  /** As JSON. */
  readonly body: Record<string, unknown>;
}

export interface Operations {
  get(path: string): Promise<Reply>;
  post(path: string, body: unknown): Promise<Reply>;
}

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
    return { status: response.status, body };
  };
  return {
    get: path => call(path),
    post: (path, body) => call(path, { method: 'POST', body: JSON.stringify(body) }),
  };
}
