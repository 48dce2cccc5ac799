import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** The bytes of a backend's log, without the lines that Backstage writes for each HTTP request. */
export async function logBytes(file: string): Promise<number> {
  let bytes = 0;
  for await (const line of createInterface(createReadStream(file))) {
    if (!line.includes('"type":"incomingRequest"'))
      bytes += Buffer.byteLength(line) + 1;
  }
  return bytes;
}
