import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { readSettled } from '../lib/file-watch';
import { inWorker, WorkerFailure, type WorkerLimits } from '../lib/in-worker';
import { ConfigError } from './types';

/** A table of ten thousand routes is smaller. */
export const MAX_ROUTING_FILE_BYTES = 2 ** 20;

const PARSER = join(__dirname, 'routing-yaml.worker');
/** A table of the largest size takes one to two seconds and 150 MiB, hostile text up to 300. */
const LIMITS: WorkerLimits = { timeout: 10_000, heap: 512 };

/**
 * The content of a routing file: parsed YAML, not yet validated. It must not be changed: the same
 * text may give the same object again.
 *
 * @param path - as configured, relative to the working directory.
 * @param limits - of the thread that parses it.
 * @throws ConfigError if it cannot be read or is not one YAML document; its `cause` says whether
 *   that may pass.
 */
export async function readRoutingFile(
  path: string,
  limits: WorkerLimits = LIMITS,
): Promise<unknown> {
  try {
    const { content } = await readSettled(path, { maxBytes: MAX_ROUTING_FILE_BYTES });
    return await parse(textOf(content), limits);
  } catch (cause) {
    const error = new ConfigError([{ path, message: (cause as Error).message }]);
    throw Object.assign(error, { cause });
  }
}

/**
 * The content of a routing table that is not in a file, within the same limits. What is kept of the
 * last file stays.
 *
 * @throws Error whose message says in one line what is wrong, to be put after a name of the table.
 */
export async function parseRoutingTable(
  text: string,
  limits: WorkerLimits = LIMITS,
): Promise<unknown> {
  const content = Buffer.from(text);
  if (content.length > MAX_ROUTING_FILE_BYTES)
    throw new Error(`is larger than ${MAX_ROUTING_FILE_BYTES} bytes`);
  if (content.toString() !== text) throw new Error('is not valid Unicode');
  const outcome = await outcomeOf(text, limits);
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

function textOf(content: Buffer): string {
  const text = content.toString('utf8');
  if (!isUtf8(content))
    throw new Error(`is not valid UTF-8: byte ${firstInvalid(content, text)}`);
  return text;
}

/** The offset of the first byte that became a replacement character without being one. */
function firstInvalid(content: Buffer, text: string): number {
  const replacement = Buffer.from('\ufffd');
  let offset = 0;
  for (const part of text.split('\ufffd')) {
    offset += Buffer.byteLength(part);
    const { length } = replacement;
    if (!content.subarray(offset, offset + length).equals(replacement)) break;
    offset += length;
  }
  return offset;
}

interface Parsed {
  readonly text: string;
  readonly outcome: { readonly value: unknown } | { readonly error: Error };
}

/** The last text that was parsed: a reload usually finds it unchanged, and it may take long. */
let last: Parsed | undefined;

async function parse(text: string, limits: WorkerLimits): Promise<unknown> {
  if (last?.text !== text) last = { text, outcome: await outcomeOf(text, limits) };
  const { outcome } = last;
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

async function outcomeOf(
  text: string,
  limits: WorkerLimits,
): Promise<Parsed['outcome']> {
  try {
    // As JSON, which holds the event loop for half as long as a copy of the value would.
    return { value: JSON.parse(await inWorker<string>(PARSER, text, limits)) };
  } catch (error) {
    if (error instanceof WorkerFailure) throw new Error(problemOf(error));
    return { error: error as Error };
  }
}

const problemOf = ({ reason, message }: WorkerFailure): string =>
  reason === 'thread'
    ? `cannot be parsed: ${message}`
    : `cannot be parsed: it ${message}; it is too large, or made to be slow`;
