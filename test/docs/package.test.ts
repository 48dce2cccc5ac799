/** What npm publishes: its files, and the links between them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import manifest from '../../package.json';

const [{ files }] = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }),
) as [{ files: Array<{ path: string }> }];
const packed = files.map(({ path }) => path);
const pages = packed.filter(path => path.endsWith('.md'));

it('has pages, config files, and the schema of the config', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/install.md']));
  expect(packed).toEqual(
    expect.arrayContaining([
      'config/routing.yaml',
      'config/routing.schema.json',
      'config/tests.schema.json',
      'config.d.ts',
      'LICENSE',
      'CHANGELOG.md',
    ]),
  );
});

it.each(pages)('the relative links of %s lead to a file of the package', page => {
  const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!.split('#')[0]!)
    .filter(link => link !== '' && !/^[a-z]+:/.test(link));
  const broken = links.filter(
    link => !packed.includes(normalize(join(dirname(page), link))),
  );
  expect(broken).toEqual([]);
});

it('the files in config name only files of the package', () => {
  const named = packed
    .filter(path => path.startsWith('config/') && /\.(yaml|rego)$/.test(path))
    .flatMap(
      path =>
        readFileSync(path, 'utf8').match(/\b(docs|config)\/[\w./-]*\w\.\w+/g) ?? [],
    );
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter(path => !packed.includes(path))).toEqual([]);
});

it('says where its source and its issues are', () => {
  const repository = manifest.repository.url.replace(/^git\+|\.git$/g, '');
  expect(manifest.homepage).toBe(`${repository}#readme`);
  expect(manifest.bugs.url).toBe(`${repository}/issues`);
});
