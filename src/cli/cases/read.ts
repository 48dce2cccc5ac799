/** Reads a test file. */
import { Findings, formatPath } from '../../config/findings';
import { MAX_LENGTH, type ConfigProblem } from '../../config/types';
import { cut } from '../../lib/bounded';
import { checkCases, type Surroundings } from './check';
import { testFileSchema, type TestFile } from './schema';

/** What is wrong in a test file, at most 50 problems, each of bounded length. */
export class TestFileError extends Error {
  override readonly name = 'TestFileError';

  /**
   * @param problems - with paths such as `cases[3].user`.
   * @param count - how many there are, those that are not listed included.
   */
  constructor(
    readonly problems: readonly ConfigProblem[],
    readonly count: number,
  ) {
    const errors = count === 1 ? '1 error' : `${count} errors`;
    const which = count > problems.length ? `, the first ${problems.length}` : '';
    const lines = problems.map(
      ({ path, message }) => `  - ${path === '' ? '' : `${path}: `}${message}`,
    );
    super(`the test file has ${errors}${which}:\n${lines.join('\n')}`);
  }
}

/**
 * @param content - the value of the file's YAML.
 * @param surroundings - what the file is used with, as far as it is known.
 * @throws TestFileError with all problems, each with its path and what is allowed.
 */
export function readTestFile(content: unknown, surroundings?: Surroundings): TestFile {
  const findings = new Findings();
  const parsed = testFileSchema.safeParse(content);
  if (parsed.success) {
    checkCases(parsed.data, findings, surroundings);
  } else {
    for (const { path, message } of parsed.error.issues) {
      findings.add({ path: path as Array<string | number>, message });
    }
  }
  const { listed, count } = findings.list();
  if (parsed.success && count === 0) return parsed.data;
  const problems = listed.map(({ path, message }) => ({
    path: cut(formatPath(path), MAX_LENGTH),
    message: cut(message, MAX_LENGTH),
  }));
  throw new TestFileError(problems, count);
}
