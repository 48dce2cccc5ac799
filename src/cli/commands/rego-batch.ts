import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import {
  batchRule,
  DEFAULT_RULE,
  isRulePath,
  overlap,
} from '../../sources/opa/batch-rule';
import { isEntrypoint, likelyEntrypoint } from '../../sources/rego/entrypoint';
import { CliError } from '../exit-code';
import type { MakeCommand } from '../make-command';

/** `policy-router rego-batch`: the rule that `batch` of an OPA source names. */
export const regoBatchCommand: MakeCommand = io =>
  new Command()
    .description(
      `Prints the Rego rule that answers many questions in one request. Load it in OPA beside your policy, and name it in the app-config: batch: ${DEFAULT_RULE}

Example:
  policy-router rego-batch backstage_policy/decision > config/policies/batch.rego`,
    )
    .addArgument(
      new Argument(
        '<entrypoint>',
        "the 'entrypoint' of the source in the app-config",
      ).argParser(readEntrypoint),
    )
    .addOption(
      new Option('--rule <path>', 'the path of the rule')
        .default(DEFAULT_RULE)
        .argParser(readRule),
    )
    .action((entrypoint: string, { rule }: { rule: string }) => {
      if (overlap(rule, entrypoint)) {
        throw new CliError(
          `The rule '${rule}' cannot ask '${entrypoint}', because one is part of the other; give the rule another path with --rule.`,
        );
      }
      io.out(batchRule(entrypoint, rule).trimEnd());
    });

function readEntrypoint(value: string): string {
  const likely = likelyEntrypoint(value);
  if (isEntrypoint(value) && likely === undefined) return value;
  throw new InvalidArgumentError(
    likely === undefined
      ? "It must be segments joined by '/', such as 'backstage_policy/decision'."
      : `Write it as in the app-config: '${likely}'.`,
  );
}

function readRule(value: string): string {
  if (isRulePath(value)) return value;
  throw new InvalidArgumentError(
    `It must be a package and a rule, joined by '/', of letters, digits and '_', such as '${DEFAULT_RULE}'.`,
  );
}
