import { join } from 'node:path';
import { folderWith, removeFolders } from '../../support/folder';
import { logBytes } from './log-bytes';

afterAll(removeFolders);

it('counts the lines of a log that are not about one HTTP request', async () => {
  const folder = folderWith({
    'a.log':
      '{"level":"info","type":"incomingRequest"}\n{"level":"warn"}\n{"level":"info","type":"incomingRequest"}\n',
  });
  expect(await logBytes(join(folder, 'a.log'))).toBe('{"level":"warn"}\n'.length);
});
