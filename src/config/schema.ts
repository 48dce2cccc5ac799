/** The shape of the config: one object per schema, unknown keys refused everywhere. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { ConfigReader, readDurationFromConfig } from '@backstage/config';
import { durationToMilliseconds, type JsonValue } from '@backstage/types';
import { z } from 'zod';
import { ALGORITHMS } from '../combining/algorithms';
import type { VerifyConditions } from '../guard/conditions/check';
import { ACTIONS } from '../routing/route';

/** Node's timers fire at once past this many milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;

/** A misspelt key must not pass, least of all a misspelt safety setting. */
const strict = <S extends z.core.$ZodLooseShape>(shape: S) =>
  z.strictObject(shape, {
    error: issue => {
      if (issue.code === 'unrecognized_keys') {
        const keys = issue.keys.map(key => `'${key}'`).join(', ');
        const plural = issue.keys.length > 1 ? 'unknown keys' : 'unknown key';
        return `${plural} ${keys}; allowed: ${Object.keys(shape).join(', ')}`;
      }
      return issue.input === undefined
        ? `is required: an object of ${Object.keys(shape).join(', ')}`
        : `must be an object of ${Object.keys(shape).join(', ')}`;
    },
  });

const choice = <const T extends readonly string[]>(values: T) =>
  z.enum(values, {
    error: issue => {
      const allowed = values.map(value => `'${value}'`).join(' or ');
      if (issue.input === undefined) return `is required: ${allowed}`;
      return `must be ${allowed}${shown(issue.input)}`;
    },
  });

const shown = (input: unknown): string =>
  typeof input === 'string' || typeof input === 'number' || typeof input === 'boolean'
    ? `, not ${JSON.stringify(input)}`
    : '';

const text = (what: string) =>
  z
    .string({
      error: issue =>
        issue.input === undefined ? `is required: ${what}` : `must be ${what}`,
    })

    .min(1, { error: `must be ${what}, not empty`, abort: true });

/** Environment variables arrive as strings, so '64' is 64. */
const integer = (min: number, max: number, fallback: number) =>
  z.preprocess(
    value => {
      if (value === undefined) return fallback;
      return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
    },
    z.custom<number>(
      value => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
      {
        error: issue =>
          `must be a whole number from ${min} to ${max}${shown(issue.input)}`,
      },
    ),
  );

/** Any duration Backstage knows, as milliseconds. */
const duration = (fallback: string) =>
  z
    .unknown()
    .optional()
    .transform((value, context): number => {
      try {
        const config = new ConfigReader({
          value: (value === undefined ? fallback : value) as JsonValue,
        });
        const milliseconds = durationToMilliseconds(
          readDurationFromConfig(config, { key: 'value' }),
        );
        if (milliseconds > 0 && milliseconds <= MAX_TIMER) return milliseconds;
      } catch {
        // Told below, with the forms that are allowed.
      }
      context.addIssue(
        "must be a duration such as '500ms', '2s', 'PT0.5S' or { milliseconds: 500 }, " +
          `above zero and at most ${MAX_TIMER} ms${shown(value)}`,
      );
      return z.NEVER;
    });

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

const opa = strict({
  type: z.literal('opa'),
  baseUrl: text(
    "a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'",
  ).superRefine((value, context) => {
    const problem = baseUrlProblem(value);
    if (problem !== undefined) context.addIssue(problem);
  }),
  entrypoint,
  timeout: duration('500ms'),
  concurrency: integer(1, 10_000, 64),
  queue: integer(0, 100_000, 256),
  maxResponseBytes: integer(1, 2 ** 31 - 1, 1_048_576),
  circuitBreaker: strict({
    errorThreshold: integer(1, 99, 50),
    volumeThreshold: integer(1, 1_000_000, 5),
    rollingWindow: duration('10s'),
    resetTimeout: duration('10s'),
  }).prefault({} as never),
  auth: strict({
    token: text('a bearer token').regex(/^[\x21-\x7e]+$/, {
      error: 'must be a bearer token: printable characters without white space',
    }),
  }).optional(),
  tls: strict({
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
  onUnavailable: onUnavailable.optional(),
}).superRefine(({ baseUrl, tls }, context) => {
  if (tls !== undefined && typeof baseUrl === 'string' && !/^https:/i.test(baseUrl)) {
    context.addIssue({
      code: 'custom',
      path: ['tls'],
      message: 'has no effect unless baseUrl is https://…',
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

function baseUrlProblem(value: string): string | undefined {
  if (value.startsWith('unix:')) {
    return /^unix:\/[^/]/.test(value)
      ? undefined
      : "must name a socket by its absolute path: 'unix:/path/to/socket'";
  }
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

const entityRef = text("an entity ref such as 'group:default/platform'").regex(
  /^[^:/\s]+:[^:/\s]+\/[^:/\s]+$/,
  {
    error: issue =>
      `must be a whole entity ref such as 'group:default/platform'${shown(issue.input)}`,
  },
);

const ownership = strict({
  type: z.literal('ownership'),
  bypass: nonEmptyList(entityRef, 'entity refs').optional(),
  resources: z
    .record(
      z.string(),
      strict({
        pluginId: text('the id of the plugin that owns the resource type'),
        rule: text("the name of the plugin's owner rule"),
        param: text("the rule's parameter that takes the user's refs"),
      }),
      { error: 'must be an object of { <resourceType>: { pluginId, rule, param } }' },
    )
    .optional(),
});

/** By `type`; `allow` and `deny` are built in and need no config. */
export const sourceSchemas = { opa, 'opa-wasm': opaWasm, ownership };

export const routeSchema = strict({
  prefix: z.string({
    error: issue =>
      issue.input === undefined
        ? "is required: a permission prefix such as 'catalog.entity', or '' for every permission"
        : 'must be a string',
  }),
  actions: nonEmptyList(choice(ACTIONS), 'actions').optional(),
  resourceTypes: nonEmptyList(
    text('a resource type').regex(/^\S+$/, {
      error: 'must be a resource type, without white space',
    }),
    'resource types',
  ).optional(),
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

function nonEmptyList<T extends z.ZodType>(item: T, what: string) {
  return z
    .array(item, {
      error: issue =>
        issue.input === undefined
          ? `is required: a list of ${what}`
          : `must be a list of ${what}`,
    })
    .min(1, { error: `is an empty list; name one or more ${what}` })
    .refine(items => !hasRepeatedText(items), { error: 'names the same value twice' });
}

function hasRepeatedText(items: readonly unknown[]): boolean {
  const texts = items.filter(item => typeof item === 'string');
  return new Set(texts).size < texts.length;
}
