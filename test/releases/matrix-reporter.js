'use strict';

const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const README = join(__dirname, '../../README.md');
const HEADING = '### Tested releases\n';

/** With UPDATE_DOCS=1, writes what the run saw into the README. */
class MatrixReporter {
  onRunComplete(_contexts, { testResults }) {
    if (process.env.UPDATE_DOCS !== '1') return;
    const rows = new Map();
    for (const { ancestorTitles, status } of testResults.flatMap(
      each => each.testResults,
    )) {
      const [, release, manager] =
        /^Backstage (\S+), installed with (\w+)/.exec(ancestorTitles[0] ?? '') ?? [];
      if (release === undefined) continue;
      const row = rows.get(release) ?? {};
      rows.set(release, row);
      row[manager] =
        status === 'passed' && row[manager] !== 'fails' ? 'works' : 'fails';
    }
    const text = [
      HEADING,
      `With Node.js ${process.versions.node}, on ${new Date().toISOString().slice(0, 10)}:`,
      '`npm run test:releases` makes a backend of the published packages of each release, adds the router',
      'with yarn and with npm, and asks it.',
      '',
      '| Backstage | yarn  | npm   |',
      '| --------- | ----- | ----- |',
      ...[...rows].map(
        ([release, { yarn, npm }]) => `| ${release.padEnd(9)} | ${yarn} | ${npm} |`,
      ),
      '',
      '',
    ].join('\n');
    const readme = readFileSync(README, 'utf8');
    const start = readme.indexOf(HEADING);
    const end = readme.indexOf('\n## ', start) + 1;
    writeFileSync(README, `${readme.slice(0, start)}${text}${readme.slice(end)}`);
  }
}

module.exports = MatrixReporter;
