import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { cut } from '../../lib/bounded';
import {
  hasRepeatedText,
  integer,
  oneOrMore,
  strictSecrets,
  text,
} from '../../lib/fields';
import { remoteKind, type Oddity } from '../kind';
import { entrypoint, likelyEntrypoint } from '../rego/entrypoint';
import { isRulePath, overlap } from './batch-rule';
import { OpaSource } from './source';

const pem = (what: string) =>
  text(`${what} as PEM text (Backstage reads a file with $file)`).refine(
    value => value.includes('-----BEGIN '),
    { error: `must be ${what} as PEM text (Backstage reads a file with $file)` },
  );

const tls = strictSecrets({
  ca: pem('a certificate authority').optional(),
  cert: pem('a client certificate').optional(),
  key: pem('the key of the client certificate').optional(),
}).superRefine(({ ca, cert, key }, context) => {
  if ((cert === undefined) !== (key === undefined)) {
    context.addIssue('needs both cert and key, or neither');
  }
  if (ca === undefined && cert === undefined && key === undefined) {
    context.addIssue('is empty; give ca, or cert and key');
  }
  if (!isUsable({ ca, cert, key })) {
    context.addIssue(
      'cannot be used; check that each text is complete, and that key belongs to cert',
    );
  }
});

/** An Open Policy Agent server. */
export const opa = remoteKind({
  type: 'opa',
  settings: {
    baseUrl: oneOrMore(
      text("a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'")
        .transform(withShortSocket)
        .superRefine((value, context) => {
          const problem = baseUrlProblem(value);
          if (problem !== undefined) context.addIssue(problem);
        }),
      'URLs',
    ),
    entrypoint,
    batch: entrypoint
      .refine(isRulePath, {
        error:
          "must be a package and a rule, joined by '/', of letters, digits and '_', such as 'policy_router/batch'",
      })
      .optional(),
    maxResponseBytes: integer(1, 2 ** 31 - 1, 1_048_576),
    auth: strictSecrets({
      // A response that repeats it is refused, so it must not be a word of a policy.
      token: text('a bearer token').regex(/^[\x21-\x7e]{8,}$/, {
        error:
          'must be a bearer token: 8 or more printable characters without white space',
      }),
    }).optional(),
    tls: tls.optional(),
  },
  secrets: [
    ['auth', 'token'],
    ['tls', 'key'],
  ],
  defaults: { timeout: '500ms', concurrency: 64, queue: 256 },
  check: ({ baseUrl, entrypoint: decision, batch, tls: withTls }, context) => {
    if (batch !== undefined && overlap(batch, decision)) {
      context.addIssue({
        code: 'custom',
        path: ['batch'],
        message:
          'must not be the entrypoint or a part of it, nor the entrypoint a part of it; it is the path ' +
          "of the rule which 'policy-router rego-batch' prints, such as 'policy_router/batch'",
      });
    }
    if (!Array.isArray(baseUrl)) return;
    const plain = baseUrl.find(url => !/^https:/i.test(url));
    const servers = baseUrl.map(url => (URL.canParse(url) ? new URL(url).href : url));
    if (hasRepeatedText(servers.map(server => server.replace(/\/+$/, '')))) {
      context.addIssue({
        code: 'custom',
        path: ['baseUrl'],
        message: 'names the same server twice',
      });
    }
    if (withTls !== undefined && plain !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: `has no effect unless baseUrl is https://…${baseUrl.length > 1 ? `, and ${plain} is not` : ''}`,
      });
    }
  },
  oddities: ({ baseUrl, entrypoint: path }) => [
    ...likelyMistakes(baseUrl),
    ...(likelyEntrypoint(path) === undefined
      ? []
      : [
          {
            code: 'ODD_ENTRYPOINT' as const,
            path: ['entrypoint'],
            message: `OPA is asked at /v1/data/${cut(path)}; did you mean '${cut(likelyEntrypoint(path)!)}'?`,
          },
        ]),
  ],
  endpoints: ({ baseUrl }) => baseUrl,
  build: (options, { endpoint, concurrency, timeout }) =>
    new OpaSource({
      baseUrl: endpoint!,
      entrypoint: options.entrypoint,
      batch: options.batch,
      maxResponseBytes: options.maxResponseBytes,
      token: options.auth?.token,
      tls: options.tls,
      concurrency,
      connectTimeout: timeout,
    }),
});

/** Tried now, not at the first question. The error may quote the key, so it is not shown. */
function isUsable(tls: Record<'ca' | 'cert' | 'key', string | undefined>): boolean {
  try {
    // A context ignores what it cannot read of a bundle of certificates, so each is read.
    for (const text of [tls.ca, tls.cert]) {
      for (const certificate of certificatesIn(text)) new X509Certificate(certificate);
    }
    createSecureContext(tls);
    return true;
  } catch {
    return false;
  }
}

/** @throws Error if there is text, but no certificate in it. */
function certificatesIn(text: string | undefined): string[] {
  if (text === undefined) return [];
  const certificates = text.match(/-----BEGIN CERTIFICATE-----.*?(?=-----BEGIN|$)/gs);
  if (!certificates) throw new Error('no certificate');
  return certificates;
}

/** A base URL that ends with what the router adds to it. */
const likelyMistakes = (baseUrl: readonly string[]): Oddity[] =>
  baseUrl.flatMap((url, index) => {
    const likely = /^(https?:\/\/[^/]+.*?)\/v1(\/data(\/.*)?)?\/*$/i.exec(url)?.[1];
    if (likely === undefined) return [];
    const path = baseUrl.length === 1 ? ['baseUrl'] : ['baseUrl', index];
    return [
      {
        code: 'ODD_BASE_URL' as const,
        path,
        message: `the router adds /v1/data itself; did you mean '${cut(likely)}'?`,
      },
    ];
  });

/** `unix:///path`, as OPA itself writes it, is the same as `unix:/path`. */
function withShortSocket(value: string): string {
  return value.replace(/^unix:\/\/(?=\/[^/])/, 'unix:');
}

/** In bytes; the operating system truncates longer paths of sockets. */
const MAX_SOCKET_PATH = 107;

function baseUrlProblem(value: string): string | undefined {
  const problem = value.startsWith('unix:') ? socketProblem(value) : urlProblem(value);
  // URL parsers drop line ends, and a NUL ends the path of a socket.
  if (problem === undefined && /[\s\p{C}]/u.test(value)) {
    return 'must not contain white space or control characters';
  }
  return problem;
}

function socketProblem(value: string): string | undefined {
  if (!/^unix:\/[^/]/.test(value)) {
    return "must name a socket by its absolute path: 'unix:/path/to/socket'";
  }
  return Buffer.byteLength(value) - 'unix:'.length > MAX_SOCKET_PATH
    ? `must name a socket by a path of at most ${MAX_SOCKET_PATH} bytes`
    : undefined;
}

function urlProblem(value: string): string | undefined {
  if (!URL.canParse(value) || !/^https?:\/\//i.test(value)) {
    return "must be 'http://…', 'https://…' or 'unix:/path/to/socket'";
  }
  const url = new URL(value);
  if (url.username !== '' || url.password !== '') {
    return 'must not contain credentials; put a token in auth.token';
  }
  return url.search !== '' || url.hash !== ''
    ? 'must not have a query or a fragment'
    : undefined;
}
