/** docs/CONTRIBUTING.md knows every room of src/ and every command it tells people to run. */
import { readFileSync, readdirSync } from 'node:fs';

const page = readFileSync('docs/CONTRIBUTING.md', 'utf8');

const rooms = readdirSync('src', { withFileTypes: true }).map(entry =>
  entry.isDirectory() ? `${entry.name}/` : entry.name,
);

it.each(rooms)('the map has %s', room => {
  const map = /^## The rooms of src\/$([\s\S]*?)^## /m.exec(page)![1]!;
  const lines = map.split('\n').filter(line => line.startsWith('- '));
  expect(lines.some(line => line.split(':')[0]!.includes(`\`${room}\``))).toBe(true);
});

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Record<string, string>;
};
const commands = [...page.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);

it.each([...new Set(commands)])('npm run %s is a script of package.json', name => {
  expect(Object.keys(scripts)).toContain(name);
});
