/** The options that several commands take. */
import { InvalidArgumentError, Option } from 'commander';

/** An option that may be given several times; without it, an empty list. */
export const repeatable = (flags: string, description: string) =>
  new Option(flags, description)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], '');

export const configOption = () =>
  repeatable(
    '--config <path>',
    'an app-config file; repeatable, later ones win (default: app-config.yaml and app-config.local.yaml at the root of the repository)',
  );

export const jsonOption = () => new Option('--json', 'print JSON, for programs');

export const metadataOption = () =>
  new Option(
    '--metadata <file>',
    "what the plugins of a backend declare, as 'policy-router coverage --save' writes it (default: the installed catalog)",
  );

export const opaOptions = () => [
  new Option(
    '--opa <url>',
    'ask this OPA for all sources of type opa, such as http://127.0.0.1:8181',
  ),
  new Option(
    '--policies <path>',
    'start an OPA (OPA_BIN, or opa of the PATH) with this file or folder; repeatable',
  )
    .argParser((path: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      path,
    ])
    .conflicts('opa'),
];

const SAYS = ['allow', 'deny', 'not-applicable'] as const;
/** What a stand-in says, by the name of the source. */
export type StandInOption = ReadonlyMap<string, (typeof SAYS)[number]>;

export const standInOption = () =>
  new Option(
    '--stand-in <name=result>',
    'what a source that cannot be asked here says: allow, deny or not-applicable; repeatable',
  )
    .argParser((text: string, before: StandInOption | undefined): StandInOption => {
      const [, name, said] = /^(.+)=([^=]*)$/.exec(text) ?? [];
      const says = SAYS.find(each => each === said);
      if (name === undefined || says === undefined) {
        throw new InvalidArgumentError(
          `Write the name of a source and what it says, such as openchoreo=allow; it may say ${SAYS.join(', ')}.`,
        );
      }
      return new Map(before).set(name, says);
    })
    .default(new Map(), '');

/** Default: 50. */
export const limitOption = (what: string) =>
  new Option('--limit <n>', what)
    .argParser((text: string) => {
      const count = Number(text);
      if (Number.isSafeInteger(count) && count >= 1) return count;
      throw new InvalidArgumentError('It must be a number from 1.');
    })
    .default(50);
