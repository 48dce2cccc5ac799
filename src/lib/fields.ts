/** The kinds of values in a config, each with an error that names what is allowed. */
import { ConfigReader, readDurationFromConfig } from '@backstage/config';
import { durationToMilliseconds, type JsonValue } from '@backstage/types';
import { z } from 'zod';
import { cut, someNames } from './bounded';
import { jsonSchemaOf } from './json-schema';

/** Of a list in the config, such as the actions of a route; the table itself may have more. */
export const MAX_ITEMS = 10_000;

/** In milliseconds; Node.js fires a longer timer at once. */
const MAX_TIMER = 2 ** 31 - 1;

/** An object that refuses unknown keys: a misspelt safety setting must not pass. */
export const strict = <S extends z.core.$ZodLooseShape>(shape: S) =>
  strictObject(shape, keys => ` ${someNames(keys)}`);

/** The same, but unknown keys are not shown: in `{ token hunter2 }` the secret is part of the key. */
export const strictSecrets = <S extends z.core.$ZodLooseShape>(shape: S) =>
  strictObject(shape, () => '');

const strictObject = <S extends z.core.$ZodLooseShape>(
  shape: S,
  show: (keys: readonly string[]) => string,
) =>
  z.strictObject(shape, {
    error: issue => {
      if (issue.code === 'unrecognized_keys') {
        const { keys } = issue;
        const plural = keys.length > 1 ? 'unknown keys' : 'unknown key';
        return `${plural}${show(keys)}; allowed: ${Object.keys(shape).join(', ')}`;
      }
      return issue.input === undefined
        ? `is required: an object of ${Object.keys(shape).join(', ')}`
        : `must be an object of ${Object.keys(shape).join(', ')}`;
    },
  });

export const choice = <const T extends readonly string[]>(values: T) =>
  z.enum(values, {
    error: issue => {
      const allowed = values.map(value => `'${value}'`).join(' or ');
      if (issue.input === undefined) return `is required: ${allowed}`;
      return `must be ${allowed}${shown(issue.input)}`;
    },
  });

export function shown(input: unknown): string {
  if (typeof input === 'string') return `, not ${JSON.stringify(cut(input))}`;
  return typeof input === 'number' || typeof input === 'boolean'
    ? `, not ${JSON.stringify(input)}`
    : '';
}

export const text = (what: string) =>
  z
    .string({
      error: issue =>
        issue.input === undefined ? `is required: ${what}` : `must be ${what}`,
    })
    .min(1, { error: `must be ${what}, not empty`, abort: true });

/** Environment variables arrive as strings, so '64' is 64. */
export const integer = (min: number, max: number, fallback: number) =>
  z.preprocess(
    value => {
      if (value === undefined) return fallback;
      return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
    },
    z
      .custom<number>(
        value =>
          Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
        {
          error: issue =>
            `must be a whole number from ${min} to ${max}${shown(issue.input)}`,
        },
      )
      .meta({
        anyOf: [
          { type: 'integer', minimum: min, maximum: max },
          // Of text, only the reader knows the limits.
          { type: 'string', pattern: '^-?\\d+$' },
        ],
        default: fallback,
      }),
  );

/** A duration in any form that Backstage accepts, as milliseconds. */
export const duration = (fallback: string, longest = MAX_TIMER) =>
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
        if (milliseconds > 0 && milliseconds <= longest) return milliseconds;
      } catch {
        // Reported below, with the forms that are allowed.
      }
      context.addIssue(
        "must be a duration such as '500ms', '2s', 'PT0.5S' or { milliseconds: 500 }, " +
          `above zero and at most ${longest} ms${shown(value)}`,
      );
      return z.NEVER;
    })
    // Only the reader knows which texts are durations.
    .meta({
      anyOf: [
        { type: 'string', minLength: 1 },
        { type: 'object', minProperties: 1 },
      ],
    });

/** In place of a list that is too long, so that none of its items is looked at. */
const TOO_LONG = Symbol('too long');

export function nonEmptyList<T extends z.ZodType>(
  item: T,
  what: string,
  most = MAX_ITEMS,
) {
  return z.preprocess(
    value => (Array.isArray(value) && value.length > most ? TOO_LONG : value),
    z
      .array(item, {
        error: issue => {
          if (issue.input === TOO_LONG) return `has more than ${most} ${what}`;
          return issue.input === undefined
            ? `is required: a list of ${what}`
            : `must be a list of ${what}`;
        },
      })
      .min(1, { error: `is an empty list; name one or more ${what}` })
      .refine(items => !hasRepeatedText(items), {
        error: 'names the same value twice',
      })
      .meta({
        ...(most === Infinity ? {} : { maxItems: most }),
        ...(isText(item) ? { uniqueItems: true } : {}),
      }),
  );
}

/** Whether what is read is text. */
const isText = (schema: z.ZodType): boolean =>
  schema instanceof z.ZodString || schema instanceof z.ZodEnum;

/** A value or a list of values; the output is always a list. */
export function oneOrMore<T extends z.ZodType>(item: T, what: string) {
  const list = nonEmptyList(item, what);
  return oneOf([item, list], value => (Array.isArray(value) ? list : item)).transform(
    value => [value].flat() as Array<z.output<T>>,
  );
}

/**
 * One of several schemas. Its errors are those of the one that was meant, where those of a union say
 * only that none of them fits.
 *
 * @param meant - which one, by the look of the value.
 */
export const oneOf = <T extends z.ZodType>(
  options: readonly T[],
  meant: (value: unknown) => T,
) =>
  z
    .unknown()
    .optional()
    .transform((value, context): z.output<T> => {
      const parsed = meant(value).safeParse(value);
      if (parsed.success) return parsed.data;
      for (const { path, message } of parsed.error.issues) {
        context.addIssue({ code: 'custom', path, message });
      }
      return z.NEVER;
    })
    .meta({
      // Made only when it is asked for.
      get anyOf() {
        return options.map(jsonSchemaOf);
      },
    });

/**
 * An object of values by name. The output is a map: a name may be that of something that every object
 * has, such as `constructor`.
 */
export const byName = <T extends z.ZodType>(
  name: z.ZodType<string, string>,
  item: T,
  what: string,
) =>
  z
    .preprocess(
      (value, context) => {
        // zod would pass over it.
        if (typeof value === 'object' && value && Object.hasOwn(value, '__proto__')) {
          context.addIssue("'__proto__' cannot be a name");
        }
        return value;
      },
      z.record(name, item, {
        error: issue =>
          issue.code === 'invalid_key'
            ? issue.issues[0]?.message
            : `must be an object of ${what}`,
      }),
    )
    .transform(
      (values): ReadonlyMap<string, z.output<T>> => new Map(Object.entries(values)),
    );

export function hasRepeatedText(items: readonly unknown[]): boolean {
  const texts = items.filter(item => typeof item === 'string');
  return new Set(texts).size < texts.length;
}

export const NOT_BLANK = /^\S+$/;

/** Text without white space. */
export const word = (what: string) =>
  text(what).regex(NOT_BLANK, {
    error: issue => `must be ${what}, without white space${shown(issue.input)}`,
  });
