/** The outcomes in the format that CI servers read: one suite for each file. */
import builder from 'junit-report-builder';
import { escapeInvisible } from '../../lib/quote';
import { hasFailed, failureDetails } from './report';
import type { Outcome } from './run';

/** The text of the XML. */
export function junitOf(outcomes: readonly Outcome[]): string {
  const report = builder.newBuilder();
  const suites = new Map<string, ReturnType<typeof report.testSuite>>();
  for (const outcome of outcomes) {
    const { file, line, question, milliseconds, problems } = outcome;
    let suite = suites.get(file);
    if (!suite) suites.set(file, (suite = report.testSuite().name(text(file))));
    const testCase = suite
      .testCase()
      .className(text(file))
      .name(text(question.name))
      .time(milliseconds / 1000);
    if (!hasFailed(outcome)) continue;
    const details = failureDetails(outcome, (_style, plain) => plain);
    testCase
      .failure(text(problems.join('; ')))
      .stacktrace([`${file}:${line}`, ...details].map(text).join('\n'));
  }
  return report.build();
}

/** XML cannot have control characters, halves of characters and a few others, not even escaped. */
const text = escapeInvisible;
