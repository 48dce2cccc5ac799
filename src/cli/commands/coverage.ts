import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import type { Coverage, CoverageCode } from '../../operations/coverage';
import { backendOf, backendOption, tokenOption, type Backend } from '../backend';
import { readAppConfig } from '../config/app-config';
import { counted } from '../counted';
import { declaredBy } from '../covered/declared';
import { coverageOffline } from '../covered/offline';
import { coverageText, unsettledOf } from '../covered/report';
import { CliError, EXIT, type ExitCode } from '../exit-code';
import { json, type Io } from '../io';
import { CATALOG_ONLY, metadataText, readMetadataFile } from '../local/metadata';
import { configOption, jsonOption, metadataOption } from '../options';

const OPEN_WRITES: ReadonlySet<CoverageCode> = new Set([
  'WRITE_ONLY_ALLOW',
  'FALLBACK_ALLOWS_WRITE',
]);

interface CoverageOptions {
  readonly backend?: string;
  readonly token?: string;
  readonly save?: string;
  readonly config: readonly string[];
  readonly metadata?: string;
  readonly failOnFallback?: boolean;
  readonly failOnOpenWrites?: boolean;
  readonly json?: boolean;
}

/** `policy-router coverage`: what decides each permission that the plugins declare. */
export const coverageCommand = (io: Io, end: (code: ExitCode) => void): Command =>
  new Command('coverage')
    .summary('show what decides each declared permission')
    .description(
      `Shows what decides each permission that the plugins declare: a route, or the fallback. Asks a running backend for its plugins and its table; or takes the table of app-config, and the plugins from a file that --save has written.

Example:
  policy-router coverage --backend http://localhost:7007 --save metadata.json
  policy-router coverage --metadata metadata.json --fail-on-fallback \\
    --fail-on-open-writes`,
    )
    .addOption(
      backendOption('ask a running backend, such as http://localhost:7007').conflicts([
        'config',
        'metadata',
      ]),
    )
    .addOption(tokenOption())
    .addOption(
      new Option(
        '--save <file>',
        'write what the plugins of the backend declare, for --metadata',
      ),
    )
    .addOption(configOption())
    .addOption(metadataOption())
    .addOption(
      new Option(
        '--fail-on-fallback',
        'exit with 1 if the fallback decides a declared permission',
      ),
    )
    .addOption(
      new Option(
        '--fail-on-open-writes',
        'exit with 1 if everybody is allowed something other than reading',
      ),
    )
    .addOption(jsonOption())
    .action(async (options: CoverageOptions) => {
      const coverage = await (options.backend === undefined
        ? offline(options, io)
        : ofBackend(backendOf(options.backend, options.token, io), options, io));
      io.out(options.json ? json(coverage) : coverageText(coverage, io));
      end(codeOf(coverage, options, io));
    });

async function ofBackend(
  backend: Backend,
  { save }: CoverageOptions,
  io: Io,
): Promise<Coverage> {
  const coverage = await backend.get<Coverage>('/coverage');
  if (save !== undefined) await saveDeclared(backend, coverage, save, io);
  return coverage;
}

async function offline(
  { config, metadata, save }: CoverageOptions,
  io: Io,
): Promise<Coverage> {
  if (save !== undefined) {
    throw new CliError('--save writes what a backend declares: name it by --backend');
  }
  const file =
    metadata === undefined
      ? { metadata: CATALOG_ONLY, unread: [] }
      : readMetadataFile(metadata);
  if (metadata === undefined) {
    io.err(
      'Only the permissions of the installed catalog are shown. For all plugins name a backend (--backend), or a file of it (--metadata).',
    );
  }
  const { policyRouter } = await readAppConfig(config, io);
  return coverageOffline(policyRouter, file);
}

/** @throws CliError if it cannot be written, or would lack plugins without anybody knowing. */
async function saveDeclared(
  backend: Backend,
  coverage: Coverage,
  path: string,
  io: Io,
): Promise<void> {
  const { settled, pluginsListed } = coverage;
  if (!settled || !pluginsListed) {
    const [why] = unsettledOf(coverage);
    throw new CliError(`${path} is not written. ${why}`, EXIT.unreachable);
  }
  const { file, withoutRules } = await declaredBy(backend, coverage);
  try {
    writeFileSync(path, metadataText(file));
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new CliError(`${path} cannot be written: ${code}`);
  }
  io.err(
    `${path} has what ${counted(file.metadata.size, 'plugin declares', 'plugins declare')}.`,
  );
  for (const { plugin, why } of withoutRules) {
    io.err(`Without the rules of plugin '${plugin}': ${why}`);
  }
}

function codeOf(
  coverage: Coverage,
  { failOnFallback, failOnOpenWrites }: CoverageOptions,
  io: Io,
): ExitCode {
  if (!failOnFallback && !failOnOpenWrites) return EXIT.ok;
  const { byFallback } = coverage.totals;
  const openWrites = coverage.permissions.filter(({ warnings }) =>
    warnings.some(({ code }) => OPEN_WRITES.has(code)),
  ).length;
  const found = [
    ...(failOnFallback && byFallback > 0
      ? [
          `--fail-on-fallback: the fallback decides ${counted(byFallback, 'permission')}`,
        ]
      : []),
    ...(failOnOpenWrites && openWrites > 0
      ? [
          `--fail-on-open-writes: everybody is allowed ${counted(openWrites, 'permission')}`,
        ]
      : []),
  ];
  for (const each of found) io.err(each);
  if (found.length > 0) return EXIT.found;
  const unsettled = unsettledOf(coverage);
  if (unsettled.length === 0) return EXIT.ok;
  io.err('Nothing was found, but not all permissions are known');
  return EXIT.unreachable;
}
