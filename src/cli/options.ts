/** The options that several commands take. */
import { Option } from 'commander';

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
