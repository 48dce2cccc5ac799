/** What `policy-router test` prints. */
import { escapeInvisible } from '../../lib/quote';
import { treeLines, type Style } from '../explanation';
import type { Io } from '../io';
import type { Reach } from './reach';
import type { Outcome, Run } from './run';

export const hasFailed = ({ problems }: Outcome): boolean => problems.length > 0;

/** For people. */
export function reportLines(
  { outcomes, reach, unused }: Run,
  { style }: Pick<Io, 'style'>,
): string[] {
  const failed = outcomes.filter(hasFailed);
  const passed = outcomes.length - failed.length;
  const counts = [
    style('green', `${passed} passed`),
    ...(failed.length > 0 ? [style('red', `${failed.length} failed`)] : []),
  ];
  return [
    ...withoutRepeats(failed).flatMap(outcome => [...failureLines(outcome, style), '']),
    ...(unused.length > 0
      ? [`OPA was asked, so its stand-ins were not used: ${unused.join(', ')}`]
      : []),
    counts.join(', '),
    ...reachLines(reach),
  ];
}

/** What to do where a source cannot be asked is said in full once: it may concern every case. */
function withoutRepeats(failed: readonly Outcome[]): Outcome[] {
  const said = new Set<string>();
  return failed.map(outcome => {
    if (outcome.result !== undefined) return outcome;
    const problems = outcome.problems.map(problem => {
      if (!said.has(problem)) {
        said.add(problem);
        return problem;
      }
      const [what] = problem.split('. ');
      return `${what} (as above)`;
    });
    return { ...outcome, problems };
  });
}

export const reachLines = ({ reached, of, missed }: Reach): string[] => [
  `reach: ${reached} of ${of} routes${missed.length > 0 ? '; no case reaches:' : ''}`,
  ...missed.map(label => `  ${label}`),
];

function failureLines(outcome: Outcome, style: Style): string[] {
  const { question, file, line } = outcome;
  return [
    `${style('red', '✗')} ${escapeInvisible(question.name)}  ${style('dim', `${file}:${line}`)}`,
    ...failureDetails(outcome, style).map(each => `  ${each}`),
  ];
}

/** Why a case fails, how it was decided, and the conditions with what each is for the entity. */
export function failureDetails(outcome: Outcome, style: Style): string[] {
  const { problems, result, route } = outcome;
  const shown = problems.map(escapeInvisible);
  // The sentence would explain what nobody has decided.
  if (result === undefined) return shown;
  const { resource, record, sentence } = outcome.explanation();
  const conditions = resource?.conditions ?? record?.conditions;
  return [
    ...shown,
    escapeInvisible(sentence),
    `route: ${escapeInvisible(route ?? 'none')}`,
    ...(conditions
      ? [
          resource ? `conditions for ${resource.ref}:` : 'conditions:',
          ...treeLines(conditions, style).map(each => `  ${each}`),
        ]
      : []),
  ];
}

/** For programs. */
export function reportJson({ outcomes, reach }: Run): object {
  const failed = outcomes.filter(hasFailed).length;
  return {
    passed: outcomes.length - failed,
    failed,
    reach,
    cases: outcomes.map(caseJson),
  };
}

function caseJson(outcome: Outcome): object {
  const { question, file, line, result, route, problems } = outcome;
  const { who, asked, entity, expected } = question;
  const { resource, record, sentence } = outcome.explanation();
  return {
    name: question.name,
    file,
    line,
    passed: !hasFailed(outcome),
    user: who,
    permission: asked,
    ...(entity === undefined ? {} : { entity }),
    expected: { result: expected.expect, route: expected.route },
    // Not known if a source could not be asked.
    ...(result === undefined ? {} : { result }),
    ...(route === undefined ? {} : { route }),
    ...(result === undefined ? {} : { sentence }),
    ...(resource?.conditions || record?.conditions
      ? { conditions: resource?.conditions ?? record?.conditions }
      : {}),
    problems,
  };
}
