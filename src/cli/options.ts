/** The options that several commands take. */
import { Option } from 'commander';

export const configOption = () =>
  new Option(
    '--config <path>',
    'an app-config file; repeatable, later ones win (default: app-config.yaml and app-config.local.yaml)',
  )
    .argParser((path: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      path,
    ])
    .default([], '');

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
