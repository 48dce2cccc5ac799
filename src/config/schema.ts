/** The shape of the config: one object per schema, unknown keys refused everywhere. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { z } from 'zod';
import { ALGORITHMS } from '../combining/algorithms';
import type { VerifyConditions } from '../conditions/check';
import { PLUGIN_ID } from '../conditions/fit';
import { ACTIONS } from '../routing/route';
import {
  choice,
  duration,
  hasRepeatedText,
  integer,
  nonEmptyList,
  oneOrMore,
  shown,
  strict,
  strictSecrets,
  text,
} from '../lib/fields';

export const onUnavailable = choice(['fail-closed', 'fail-open']);

/** Environment variables arrive as strings, so 'true' is true. */
const verifyConditions = z.preprocess(
  value => (value === 'true' ? true : value === 'false' ? false : value),
  z.custom<VerifyConditions>(
    value => typeof value === 'boolean' || value === 'required',
    { error: issue => `must be true, 'required' or false${shown(issue.input)}` },
  ),
);

const pem = (what: string) =>
  text(`${what} as PEM text (Backstage reads a file with $file)`).refine(
    value => value.includes('-----BEGIN '),
    { error: `must be ${what} as PEM text (Backstage reads a file with $file)` },
  );

const entrypoint = text(
  "the path of a decision, such as 'backstage_policy/decision'",
).regex(/^(?!\.{1,2}(\/|$))[^/\s?#%]+(\/(?!\.{1,2}(\/|$))[^/\s?#%]+)*$/, {
  error: "must be segments joined by '/', such as 'backstage_policy/decision'",
});

/** What every source takes that must be waited for. */
const remote = (timeout: string, queue: number) => ({
  timeout: duration(timeout),
  concurrency: integer(1, 10_000, 64),
  queue: integer(0, 100_000, queue),
  circuitBreaker: strict({
    errorThreshold: integer(1, 99, 50),
    volumeThreshold: integer(1, 1_000_000, 5),
    // Each of its questions is remembered for so long.
    rollingWindow: duration('10s', 3_600_000),
    resetTimeout: duration('10s'),
  }).prefault({} as never),
  onUnavailable: onUnavailable.optional(),
  standby: text('the name of a source').optional(),
});

const opa = strict({
  type: z.literal('opa'),
  baseUrl: oneOrMore(
    text("a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'").superRefine(
      (value, context) => {
        const problem = baseUrlProblem(value);
        if (problem !== undefined) context.addIssue(problem);
      },
    ),
    'URLs',
  ),
  entrypoint,
  ...remote('500ms', 256),
  maxResponseBytes: integer(1, 2 ** 31 - 1, 1_048_576),
  auth: strictSecrets({
    // A response that repeats it is refused, so it must not be a word of a policy.
    token: text('a bearer token').regex(/^[\x21-\x7e]{8,}$/, {
      error:
        'must be a bearer token: 8 or more printable characters without white space',
    }),
  }).optional(),
  tls: strictSecrets({
    ca: pem('a certificate authority').optional(),
    cert: pem('a client certificate').optional(),
    key: pem('the key of the client certificate').optional(),
  })
    .superRefine(({ ca, cert, key }, context) => {
      if ((cert === undefined) !== (key === undefined)) {
        context.addIssue('cert and key go together');
      }
      if (ca === undefined && cert === undefined && key === undefined) {
        context.addIssue('is empty; give ca, or cert and key');
      }
      if (!isUsable({ ca, cert, key })) {
        context.addIssue('cannot be used: is it whole, and does key belong to cert?');
      }
    })
    .optional(),
}).superRefine(({ baseUrl, tls }, context) => {
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
  if (tls !== undefined && plain !== undefined) {
    context.addIssue({
      code: 'custom',
      path: ['tls'],
      message: `has no effect unless baseUrl is https://…${baseUrl.length > 1 ? `, and ${plain} is not` : ''}`,
    });
  }
});

/** Found out now, not at the first question. The reason may quote the key, so it is not told. */
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

/** Longer paths of sockets are cut off by the system, in bytes. */
const MAX_SOCKET_PATH = 107;

function baseUrlProblem(value: string): string | undefined {
  const problem = value.startsWith('unix:') ? socketProblem(value) : urlProblem(value);
  // Parsers of URLs drop line ends, and a path of a socket ends at a NUL.
  if (problem === undefined && /[\s\p{C}]/u.test(value)) {
    return 'must not hold white space or control characters';
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
    return 'must not hold credentials; put a token in auth.token';
  }
  return url.search !== '' || url.hash !== ''
    ? 'must not have a query or a fragment'
    : undefined;
}

const opaWasm = strict({
  type: z.literal('opa-wasm'),
  bundle: text("the path of a bundle.tar.gz built by 'opa build -t wasm'"),
  entrypoint,
});

/** One request of 100 kB to the host may hold some 1,500 questions, and no two are shared. */
const hosted = strict({ type: z.literal('hosted'), ...remote('1s', 2000) });

const entityRef = text("an entity ref such as 'group:default/platform'").regex(
  /^[^:/\s]+:[^:/\s]+\/[^:/\s]+$/,
  {
    error: issue =>
      `must be a whole entity ref such as 'group:default/platform'${shown(issue.input)}`,
  },
);

/** The kinds that a catalog takes by default; any other is most likely a typing error. */
const entityKind = text("an entity kind such as 'Component'")
  .regex(/^[A-Za-z][A-Za-z0-9]{0,62}$/, {
    error: issue =>
      `must be an entity kind such as 'Component': a letter, then up to 62 letters and digits${shown(issue.input)}`,
  })
  .toLowerCase();

const NOT_BLANK = /^\S+$/;

const word = (what: string) =>
  text(what).regex(NOT_BLANK, {
    error: issue => `must be ${what}, without white space${shown(issue.input)}`,
  });

const ownership = strict({
  type: z.literal('ownership'),
  bypass: nonEmptyList(entityRef, 'entity refs').optional(),
  kinds: nonEmptyList(entityKind, 'entity kinds').optional(),
  resources: z
    .record(
      z.string().regex(NOT_BLANK),
      strict({
        pluginId: text('the id of the plugin that owns the resource type').regex(
          PLUGIN_ID,
          {
            error: issue =>
              `must be the id of a plugin such as 'catalog': up to 64 letters, digits, '-' and '_'${shown(issue.input)}`,
          },
        ),
        rule: word("the name of the plugin's owner rule"),
        param: word("the rule's parameter that takes the user's refs"),
      }),
      {
        error: issue =>
          issue.code === 'invalid_key'
            ? 'must be a resource type, without white space'
            : 'must be an object of { <resourceType>: { pluginId, rule, param } }',
      },
    )
    .optional(),
}).superRefine(({ kinds, resources }, context) => {
  if (kinds === undefined || !Object.hasOwn(resources ?? {}, 'catalog-entity')) return;
  context.addIssue({
    code: 'custom',
    path: ['kinds'],
    message: 'has no effect: resources replaces the rule of catalog-entity',
  });
});

/** By `type`; `allow` and `deny` are built in and need no config. */
export const sourceSchemas = { opa, 'opa-wasm': opaWasm, ownership, hosted };

export const routeSchema = strict({
  prefix: z.string({
    error: issue =>
      issue.input === undefined
        ? "is required: a permission prefix such as 'catalog.entity', or '' for every permission"
        : 'must be a string',
  }),
  actions: nonEmptyList(choice(ACTIONS), 'actions').optional(),
  resourceTypes: nonEmptyList(word('a resource type'), 'resource types').optional(),
  sources: nonEmptyList(text('the name of a source'), 'source names'),
  combine: choice(ALGORITHMS).default('deny-overrides'),
  onUnavailable: onUnavailable.optional(),
  default: choice(['allow', 'deny']).default('deny'),
});

export const settingsSchema = strict({
  routingFile: text(
    'the path of a YAML file that holds fallback and routes',
  ).optional(),
  fallback: choice(['allow', 'deny']),
  anonymous: choice(['deny', 'evaluate']).default('deny'),
  onUnavailable: onUnavailable.default('fail-closed'),
  deadline: duration('2s'),
  verifyConditions: verifyConditions.default(true),
  // The host takes 100 KiB with what it adds to the conditions.
  maxConditionBytes: integer(1, 90_000, 65_536),
  sources: z
    .record(z.string(), z.unknown(), {
      error: 'must be an object of { <name>: { type, … } }',
    })
    .optional(),
  routes: nonEmptyList(z.unknown(), 'routes'),
});
