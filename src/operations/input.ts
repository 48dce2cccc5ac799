import { InputError } from '@backstage/errors';
import express, { type Request, type Response } from 'express';
import { z } from 'zod';
import { cut } from '../lib/bounded';

const MAX_LISTED = 5;

/** A whole number in a query, which has text only. */
export const count = (least: number, most: number) =>
  z
    .string()
    .transform(text => (/^\d+$/.test(text) ? Number(text) : NaN))
    .refine(value => Number.isSafeInteger(value) && value >= least && value <= most, {
      error: `must be a whole number from ${least} to ${most}`,
    });

/**
 * What a caller sent, as the schema reads it.
 *
 * @param where - `body` or `query`, for the messages.
 * @throws InputError (HTTP 400) that names the places and what is allowed there.
 */
export function readInput<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: 'body' | 'query',
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, MAX_LISTED).map(({ path, message }) => {
    const place = [where, ...path.map(String)].map(key => cut(key)).join('.');
    return `${place} ${cut(message, 300)}`;
  });
  throw new InputError(problems.join('; '));
}

/** The largest body of a call, in bytes. Parsing and checking it holds the event loop. */
export const BODY_LIMITS = {
  /** A question about oneself: a permission and a resource. */
  own: 16_384,
  /** With long lists of refs. */
  explain: 1_048_576,
  /** A table of the largest size, written as JSON, and what is around it. */
  diff: 3_145_728,
};

const parsers = {
  own: express.json({ limit: BODY_LIMITS.own }),
  explain: express.json({ limit: BODY_LIMITS.explain }),
  diff: express.json({ limit: BODY_LIMITS.diff }),
};

/**
 * The body of a call, read only once it is known who calls.
 *
 * @throws InputError if it is not JSON; an error with the status 413 if it is too long.
 */
export async function readJson(
  { request, response }: { readonly request: Request; readonly response: Response },
  limit: keyof typeof BODY_LIMITS,
): Promise<unknown> {
  if (!request.is('application/json')) {
    throw new InputError('send JSON, with the header content-type: application/json');
  }
  await new Promise<void>((resolve, reject) => {
    parsers[limit](request, response, (error: unknown) => {
      if (error === undefined) resolve();
      else reject(bodyError(error));
    });
  });
  return request.body as unknown;
}

/** Express names a body that is too long; what else is wrong with one is the caller's JSON. */
function bodyError(error: unknown): Error {
  const { status } = Object(error) as { readonly status?: unknown };
  return error instanceof Error && status !== 400
    ? error
    : new InputError('the body is not JSON');
}
