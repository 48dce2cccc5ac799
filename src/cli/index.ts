#!/usr/bin/env node
import { processIo } from './io';
import { runCli } from './program';

// The reader of the output, such as `head`, may stop early; that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

void runCli(process.argv.slice(2), processIo(process)).then(code => {
  process.exitCode = code;
});
