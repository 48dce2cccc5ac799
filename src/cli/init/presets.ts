/** What `policy-router init` writes, made from the files that the package ships in `config/`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const PRESETS = [
  'least-privilege',
  'embedded-rego',
  'opa',
  'observe-allow-all',
] as const;
export type Preset = (typeof PRESETS)[number];

/** A path relative to the folder of the backend, with `/`. */
export type StarterFiles = ReadonlyMap<string, Buffer>;

export const APP_CONFIG = 'app-config.policy-router.yaml';
export const ROUTING_FILE = 'config/routing.yaml';
export const TEST_FILE = 'config/policy-router.tests.yaml';
export const POLICY = 'config/policies/backstage.rego';
const BUNDLE = 'config/bundle.tar.gz';

/** Of the package; the same for `src` and `dist`. */
const SHIPPED = join(__dirname, '../../../config');

export interface StarterOptions {
  /** Where the schemas are, relative to `config/`, such as `../node_modules/…/config`. */
  readonly schemas: string;
  /** Lines to put at the end of the routing file; none of them opens anything. */
  readonly routes: string;
  readonly today: Date;
}

/** The files of a preset. */
export function starterFiles(preset: Preset, options: StarterOptions): StarterFiles {
  const isRego = preset === 'embedded-rego' || preset === 'opa';
  const table = isRego ? 'routing' : 'least-privilege';
  const files = new Map<string, Buffer>();
  const add = (path: string, text: string): void =>
    void files.set(path, Buffer.from(text));
  add(APP_CONFIG, appConfig(preset, options.today));
  add(ROUTING_FILE, tableText(table, options));
  add(TEST_FILE, withSchema(shipped(`${table}.tests.yaml`), options.schemas));
  if (isRego) files.set(POLICY, readFileSync(join(SHIPPED, 'policies/backstage.rego')));
  if (preset === 'embedded-rego') {
    files.set(BUNDLE, readFileSync(join(SHIPPED, 'bundle.tar.gz')));
  }
  return files;
}

const shipped = (name: string): string => readFileSync(join(SHIPPED, name), 'utf8');

const withSchema = (text: string, schemas: string): string =>
  text.replace('$schema=./', () => `$schema=${schemas}/`);

/** The comment of the table shows its app-config, which is a file here. */
const APP_CONFIG_COMMENT =
  / To use it, merge this into your app-config:\n#\n((?:# {3}.*\n)+)#\n/;

function tableText(name: string, { schemas, routes }: StarterOptions): string {
  const text = withSchema(shipped(`${name}.yaml`), schemas);
  return (
    text.replace(APP_CONFIG_COMMENT, ` Its sources are in ${APP_CONFIG}.\n#\n`) + routes
  );
}

function appConfig(preset: Preset, today: Date): string {
  switch (preset) {
    case 'embedded-rego':
      return fragment(shipped('app-config.embedded.yaml'));
    case 'opa':
      return fragment(shipped('app-config.yaml'));
    case 'least-privilege':
      return fragment(ofLeastPrivilege());
    case 'observe-allow-all':
      return fragment(observed(ofLeastPrivilege(), today));
  }
}

const fragment = (text: string): string =>
  text.replace(
    /^# Merge this into your app-config\.yaml/,
    '# Use it beside your app-config.yaml, or merge it into that one',
  );

function ofLeastPrivilege(): string {
  const [, comment = ''] = APP_CONFIG_COMMENT.exec(shipped('least-privilege.yaml'))!;
  const text = comment.replace(/^# {3}/gm, '');
  return `# Merge this into your app-config.yaml.\n${text.replace('least-privilege.yaml', 'routing.yaml')}`;
}

const OBSERVED_DAYS = 30;

function observed(text: string, today: Date): string {
  const until = new Date(today);
  until.setUTCDate(until.getUTCDate() + OBSERVED_DAYS);
  const lines = `  policyRouter:
    # Everything is allowed, as without a policy, and what the table would decide is recorded. From
    # this date on the table decides. Remove it earlier, once nothing is denied that should not be.
    observe: { answer: allow, until: ${until.toISOString().slice(0, 10)} }
    operators: [group:default/platform] # who may see what would have been denied
`;
  return text.replace('  policyRouter:\n', () => lines);
}
