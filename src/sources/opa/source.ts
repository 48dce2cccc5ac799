import type { IncomingHttpHeaders } from 'node:http';
import { Pool, type Dispatcher } from 'undici';
import { isJsonObject } from '../../lib/json-object';
import { quote } from '../../lib/quote';
import type { PermissionRequest } from '../../request';
import { regoAnswer } from '../rego/answer';
import {
  regoInput,
  regoInputBytes,
  regoInputText,
  type RegoInput,
  type RegoInputText,
} from '../rego/input';
import { failed, type Answer, type Failed } from '../../answer';
import type {
  BatchAnswer,
  Batching,
  BatchQuestion,
  Cancellation,
  PreparedQuestion,
  RemoteSource,
} from '../source';
import { BatchRequest, type BatchPaths } from './batch-request';
import { parseBody } from './body';
import { connector } from './connector';
import {
  KeptClient,
  type KeptConnection,
  type KeptDispatch,
  type LostOnKeptConnection,
} from './kept-connection';
import { ReplyHandler, type Reply } from './reply';
import { repeatsToken } from './token-echo';
import { traceHeaders, withoutInstrumentation } from './trace-context';
import { transportFailure, type Peer } from './transport-failure';

export interface OpaSourceOptions {
  /** One endpoint: `http://…`, `https://…` or `unix:/path/to/socket`. */
  readonly baseUrl: string;
  /** Path below `/v1/data/`; from the config only, never from a request (CVE-2025-46569). */
  readonly entrypoint: string;
  /** Connections to OPA; the guard never has more questions under way. */
  readonly concurrency: number;
  /** Time to connect, in milliseconds; the guard's timeout covers the rest. */
  readonly connectTimeout: number;
  readonly maxResponseBytes: number;
  /** Path below `/v1/data/` of the rule that answers many questions; default: each is asked alone. */
  readonly batch?: string | undefined;
  /** Sent as `Authorization: Bearer …`. */
  readonly token?: string | undefined;
  /** PEM text. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
}

const REPEATS = 'the response repeats the bearer token that was sent to OPA';
const NOT_SHOWN = `(not shown: ${REPEATS})`;

/** What OPA said, as far as it is shown; of a failure of the connection there is nothing. */
type Said = {
  readonly response?: unknown;
  readonly decisionId?: string | undefined;
} & ({ readonly body: Record<string, unknown> } | { readonly failure: Failed });

/**
 * OPA's Data API over keep-alive connections: `POST {baseUrl}/v1/data/{entrypoint}`.
 *
 * A question that got no byte of an answer on a reused connection is put once more, on a fresh
 * one. That is safe, because this POST is a pure question: it changes nothing in OPA.
 */
export class OpaSource implements RemoteSource {
  private readonly pool: Pool;
  /** Each of its connections carries one question only. */
  private readonly fresh: Pool;
  private readonly peer: Peer;
  private readonly basePath: string;
  private readonly path: string;
  private readonly token: string | undefined;
  private readonly headers: Record<string, string>;
  readonly batching: Batching | undefined;

  constructor(options: OpaSourceOptions) {
    const { origin, basePath, socketPath, peer } = parseBaseUrl(options.baseUrl);
    this.peer = peer;
    const connect = connector(peer, {
      timeout: options.connectTimeout,
      ...(socketPath === undefined ? {} : { socketPath }),
      ...definedOnly(options.tls ?? {}),
    });
    const poolOptions: Pool.Options = {
      connections: options.concurrency,
      pipelining: 1,
      maxResponseSize: options.maxResponseBytes,
      // The guard's timeout ends a request; undici's own clocks are coarse.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect,
    };
    this.pool = new Pool(origin, {
      ...poolOptions,
      factory: (url, client) => new KeptClient(url, client, connect),
    });
    this.fresh = new Pool(origin, poolOptions);
    this.basePath = basePath;
    this.path = this.pathOf(options.entrypoint);
    this.token = options.token;
    this.headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(options.token === undefined
        ? {}
        : { authorization: `Bearer ${options.token}` }),
    };
    const { entrypoint, batch: rule, maxResponseBytes: maxBytes } = options;
    if (rule === undefined) return;
    const paths = { rule, entrypoint };
    this.batching = {
      maxBytes,
      put: (questions, signal) => this.askBatch(paths, questions, signal),
    };
  }

  /** The key has all of the body, so only questions that are identical to OPA are shared. */
  prepare(request: PermissionRequest): PreparedQuestion {
    const input = regoInput(request);
    const text = regoInputText(request);
    return {
      key: { who: text.identity, what: text.permission },
      put: signal => this.ask(input, text, signal),
    };
  }

  private async ask(
    input: RegoInput,
    inputText: RegoInputText,
    signal: Cancellation,
  ): Promise<Answer> {
    const body = regoInputBytes(inputText, '{"input":', '}');
    const said = await this.exchange(this.path, body, signal);
    const answer = 'failure' in said ? said.failure : regoAnswer(said.body.result);
    const { response, decisionId } = said;
    return { exchange: { input, response }, decisionId, ...answer };
  }

  private async askBatch(
    paths: BatchPaths,
    questions: readonly BatchQuestion[],
    signal: Cancellation,
  ): Promise<BatchAnswer> {
    const batch = new BatchRequest(questions, paths);
    const said = await this.exchange(this.pathOf(paths.rule), batch.body(), signal);
    return 'failure' in said
      ? batch.failed(said.failure, said.response)
      : batch.read(said.body.result, said.decisionId);
  }

  /** Never rejects. */
  private async exchange(
    path: string,
    question: Buffer,
    signal: Cancellation,
  ): Promise<Said> {
    let reply: Reply;
    try {
      reply = await this.post(path, question, signal);
    } catch (error) {
      return { failure: transportFailure(error, this.peer) };
    }
    const { statusCode, headers, bytes } = reply;
    const text = bytes.toString();
    const body = parseBody(bytes, text);
    const isEcho = this.token !== undefined && repeatsToken(text, body, this.token);
    const response = isEcho ? NOT_SHOWN : (body ?? text);
    if (statusCode !== 200) {
      return { failure: httpFailure(statusCode, isEcho ? undefined : body), response };
    }
    if (!isJsonObject(body)) {
      const failure = failed(
        'invalid',
        'BAD_JSON',
        `the response must be a JSON object in UTF-8 without repeated keys${this.kindOf(headers)}`,
      );
      return { failure, response };
    }
    // The decision could carry the token into logs, traces and conditions.
    if (isEcho)
      return { failure: failed('invalid', 'BAD_DECISION', REPEATS), response };
    return { body, response, decisionId: decisionIdOf(body) };
  }

  /** What a response says that it is, unless that is JSON; of its words only well-formed ones. */
  private kindOf(headers: IncomingHttpHeaders): string {
    const type = /^[\w.+-]{1,64}\/[\w.+-]{1,64}/.exec(
      textOf(headers['content-type']),
    )?.[0];
    const encoding = /^[\w-]+(, ?[\w-]+)*$/.exec(
      textOf(headers['content-encoding']),
    )?.[0];
    return [
      ...(type === undefined || type.toLowerCase() === 'application/json'
        ? []
        : [['type', type] as const]),
      ...(encoding === undefined ? [] : [['encoding', encoding] as const]),
    ]
      .filter(([, value]) => this.token === undefined || !value.includes(this.token))
      .map(([what, value]) => `; its content ${what} is ${quote(value)}`)
      .join('');
  }

  /** The second failure of a question that is put once more says what is wrong. */
  private async post(path: string, body: Buffer, signal: Cancellation): Promise<Reply> {
    let connection: KeptConnection | undefined;
    let isLost: LostOnKeptConnection | undefined;
    const takenBy = (by: KeptConnection): void => void (connection = by);
    const traced = traceHeaders();
    const headers = traced ? { ...this.headers, ...traced } : this.headers;
    const dispatch = (...question: Parameters<typeof this.dispatch>) =>
      withoutInstrumentation(() => this.dispatch(...question));
    try {
      return await dispatch(this.pool, { path, takenBy, headers }, body, signal, () => {
        isLost = connection?.begin();
      });
    } catch (error) {
      if (signal.aborted || isLost?.() !== true) throw error;
      return await dispatch(this.fresh, { path, reset: true, headers }, body, signal);
    }
  }

  /**
   * Like `pool.request`, but collects the body without creating a stream.
   *
   * @param onStart - called when the question is about to be written to its connection.
   */
  private dispatch(
    pool: Pool,
    options: Pick<Dispatcher.DispatchOptions, 'path' | 'headers' | 'reset'> &
      Partial<Pick<KeptDispatch, 'takenBy'>>,
    body: Buffer,
    signal: Cancellation,
    onStart = (): void => {},
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const handler = new ReplyHandler(signal, resolve, reject, onStart);
      pool.dispatch({ ...options, method: 'POST', body }, handler);
    });
  }

  private pathOf(entrypoint: string): string {
    return `${this.basePath}/v1/data/${entrypoint.split('/').map(encodeURIComponent).join('/')}`;
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.close(), this.fresh.close()]);
  }
}

/** `unix:/path` becomes a socket path; the path of an http(s) URL is kept as a prefix. */
function parseBaseUrl(baseUrl: string): {
  origin: string;
  basePath: string;
  socketPath?: string;
  peer: Peer;
} {
  if (baseUrl.startsWith('unix:')) {
    const socketPath = baseUrl.slice('unix:'.length);
    const peer = { secure: false, address: socketPath };
    return { origin: 'http://localhost', basePath: '', socketPath, peer };
  }
  const { protocol, origin, hostname, port, pathname } = new URL(baseUrl);
  const secure = protocol === 'https:';
  const address = `${hostname}:${port || (secure ? 443 : 80)}`;
  const basePath = pathname.replace(/\/+$/, '');
  return { origin, basePath, peer: { secure, address } };
}

/** By status: a gateway that cannot reach OPA, OPA limiting the rate, or another error. */
function httpFailure(statusCode: number, body: unknown): Failed {
  const code = `HTTP_${statusCode}`;
  const detail = opaErrorCode(body);
  const message = `OPA answered HTTP ${statusCode}${detail === undefined ? '' : ` (${detail})`}`;
  if (statusCode === 502 || statusCode === 503 || statusCode === 504) {
    return failed('unavailable', code, message);
  }
  return failed(statusCode === 429 ? 'overloaded' : 'invalid', code, message);
}

/** OPA's error code, such as `eval_conflict_error`; its messages may quote the policy. */
function opaErrorCode(body: unknown): string | undefined {
  if (!isJsonObject(body)) return undefined;
  const first: unknown = Array.isArray(body.errors) ? body.errors[0] : undefined;
  const code = isJsonObject(first) ? first.code : body.code;
  return typeof code === 'string' && /^[a-z_]{1,64}$/.test(code) ? code : undefined;
}

/** OPA names a decision if it logs decisions. */
function decisionIdOf({
  decision_id: id,
}: Record<string, unknown>): string | undefined {
  return typeof id === 'string' && /^[\w-]{1,128}$/.test(id) ? id : undefined;
}

const textOf = (header: unknown): string => (typeof header === 'string' ? header : '');

const definedOnly = (
  options: Record<string, string | undefined>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(options).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
