#!/usr/bin/env node
import { processIo } from './io';
import { runCli } from './program';

// Whoever reads may stop early, such as `head`; that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

void runCli(process.argv.slice(2), processIo(process)).then(code => {
  process.exitCode = code;
});
