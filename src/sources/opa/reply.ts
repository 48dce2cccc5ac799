import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Cancellation } from '../source';

/** What came over the connection. */
export interface Reply {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/**
 * Collects a response without creating a stream. A class, because each question needs one, and the
 * functions of an object would be made for each question too.
 */
export class ReplyHandler implements Dispatcher.DispatchHandler {
  private statusCode = 0;
  private headers: IncomingHttpHeaders = {};
  private readonly chunks: Buffer[] = [];
  private controller: Dispatcher.DispatchController | undefined;

  /** @param onStart - called when the question is about to be written to its connection. */
  constructor(
    private readonly signal: Cancellation,
    private readonly resolve: (reply: Reply) => void,
    private readonly reject: (error: Error) => void,
    private readonly onStart: () => void,
  ) {
    signal.onabort = () => this.end();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.onStart();
    this.controller = controller;
    if (this.signal.aborted) this.end();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    this.statusCode = statusCode;
    this.headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    const { statusCode, headers, chunks } = this;
    const [first] = chunks;
    const bytes = first && chunks.length === 1 ? first : Buffer.concat(chunks);
    this.resolve({ statusCode, headers, bytes });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.reject(error);
  }

  private end(): void {
    this.controller?.abort(new Error('the question was cancelled'));
  }
}
