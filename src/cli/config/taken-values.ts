/** What a config takes from environment variables and files, so that no message shows it. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigReader } from '@backstage/config';
import { isMap, isScalar, isSeq, type Node } from 'yaml';
import { ALGORITHMS } from '../../combining/algorithms';
import { AUDIT_MODES, CONFIG_PATH } from '../../config/types';
import { KINDS } from '../../sources/kinds';
import type { Io } from '../io';
import type { ConfigFiles } from './config-files';
import { directiveOf, YamlFiles, type Followed } from './yaml-files';

/** Words that a config is written with; a message that has one says nothing of a secret. */
const WORDS: ReadonlySet<string> = new Set([
  ...['allow', 'deny', 'evaluate', 'fail-closed', 'fail-open', 'true', 'false'],
  ...['required', 'not-applicable', 'default'],
  ...['create', 'read', 'update', 'delete', 'none'],
  ...ALGORITHMS,
  ...AUDIT_MODES,
  ...KINDS.map(({ type }) => type),
]);

const KEYS = CONFIG_PATH.split('.');

/** Adds them to the values that are not printed. Below `permission.policyRouter` only. */
export function keepSecret(files: ConfigFiles, io: Pick<Io, 'env' | 'secrets'>): void {
  const taken = new TakenValues(io);
  for (const { path, data } of files) {
    if (path === undefined)
      taken.addData(new ConfigReader(data).getOptional(CONFIG_PATH));
    else taken.addFile(path);
  }
}

class TakenValues {
  private readonly yaml = new YamlFiles();

  constructor(private readonly io: Pick<Io, 'env' | 'secrets'>) {}

  addFile(path: string): void {
    const written = this.yaml.follow(path, KEYS);
    if (written?.depth === KEYS.length) this.addFrom(written);
  }

  /** Adds each text in what environment variables set. */
  addData(data: unknown): void {
    if (typeof data === 'string') this.add(data, 'the value of an APP_CONFIG variable');
    else if (typeof data === 'object' && data !== null)
      Object.values(data).forEach(value => this.addData(value));
  }

  private addFrom({ file, node }: Pick<Followed, 'file' | 'node'>): void {
    if (isScalar(node)) {
      if (typeof node.value === 'string')
        namesIn(node.value).forEach(name => this.addVariable(name));
    } else if (isSeq(node)) {
      node.items.forEach(item => this.addFrom({ file, node: item as Node }));
    } else if (isMap(node)) {
      this.addVariable(directiveOf(node, '$env'));
      this.addContent(file.path, directiveOf(node, '$file'));
      const included = this.yaml.included(file, node);
      const inside = included && this.yaml.follow(included.path, included.keys, 1);
      if (inside) this.addFrom(inside);
      node.items.forEach(({ value }) =>
        this.addFrom({ file, node: value as Node | null }),
      );
    }
  }

  private addVariable(name: string | undefined): void {
    const value = name === undefined ? undefined : this.io.env[name]?.trim();
    if (value) this.add(value, `\${${name}}`);
  }

  private addContent(from: string, name: string | undefined): void {
    if (name === undefined) return;
    try {
      const content = readFileSync(resolve(dirname(from), name), 'utf8');
      this.add(content.trimEnd(), `the content of ${name}`);
    } catch {
      // Then no value is there to be shown.
    }
  }

  private add(value: string, shown: string): void {
    if (!WORDS.has(value)) this.io.secrets.add(value, shown);
  }
}

/** The variables in a text such as `http://${HOST:-localhost}`; `$${…}` is plain text. */
const namesIn = (text: string): string[] =>
  [...text.matchAll(/(\$?)\$\{([^{}]*)\}/g)]
    .filter(([, escape]) => escape === '')
    .map(([, , inside = '']) => inside.split(':-')[0]!.trim());
