/** The operations API of a running backend. */
import { request } from 'undici';
import { Option } from 'commander';
import { oneLine } from '../lib/quote';
import { errorName } from '../lib/foreign-error';
import { CliError, EXIT } from './exit-code';
import { refuseCredentials } from './url-credentials';
import type { Io } from './io';

/** For one answer, in milliseconds. */
const TIMEOUT = 30_000;
/** Holds the token, so that no list of processes shows it. */
export const TOKEN_VARIABLE = 'POLICY_ROUTER_TOKEN';

export const backendOption = (
  what = 'ask a running backend, such as http://localhost:7007',
) => new Option('--backend <url>', what);

export const tokenOption = () =>
  new Option(
    '--token <token>',
    `a Backstage token of an operator or a service; better set in ${TOKEN_VARIABLE}`,
  );

const OPERATIONS = '/policy-router/v1';
/** Of permissions and rules, below the address of a plugin. */
const METADATA_PATH = '/.well-known/backstage/permissions/metadata';

export class Backend {
  private readonly root: string;

  /**
   * @param url - as users open it, such as `http://localhost:7007`.
   * @throws CliError if it is no URL.
   */
  constructor(
    url: string,
    private readonly token: string | undefined,
  ) {
    if (!/^https?:\/\/./i.test(url)) {
      throw new CliError(
        `--backend must be a URL such as http://localhost:7007, not '${url}'`,
      );
    }
    refuseCredentials(url, '--backend', TOKEN_VARIABLE);
    this.root = `${url.replace(/\/+$/, '')}/api`;
  }

  /** @throws CliError if there is no such answer. */
  get<T>(
    path: string,
    query: Readonly<Record<string, string | undefined>> = {},
  ): Promise<T> {
    const set = Object.entries(query).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    const search = set.length > 0 ? `?${new URLSearchParams(set).toString()}` : '';
    return this.ask(`${OPERATIONS}${path}${search}`);
  }

  /** @throws CliError if there is no such answer. */
  post<T>(path: string, body: object): Promise<T> {
    return this.ask(`${OPERATIONS}${path}`, body);
  }

  /**
   * What a plugin publishes about its permissions and rules.
   *
   * @throws CliError if it does not answer, or lets nobody in with this token.
   */
  metadataOf<T>(pluginId: string): Promise<T> {
    return this.ask(`/${encodeURIComponent(pluginId)}${METADATA_PATH}`);
  }

  private async ask<T>(path: string, body?: object): Promise<T> {
    const url = `${this.root}${path}`;
    const headers = {
      ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
    };
    let status: number;
    let text: string;
    try {
      const response = await request(url, {
        headers,
        signal: AbortSignal.timeout(TIMEOUT),
        ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      throw unreachable(
        `${url} cannot be reached (${codeOf(error)}). ${hintOf(codeOf(error))}`,
      );
    }
    if (status === 200) {
      try {
        return JSON.parse(text) as T;
      } catch {
        throw unreachable(
          `${url} did not answer with JSON. Is this the address of the backend, and not of the frontend?`,
        );
      }
    }
    throw refused(url, status, messageOf(text), this.token !== undefined);
  }
}

/** @param token - of the command line. */
export const backendOf = (
  url: string,
  token: string | undefined,
  { env }: Io,
): Backend => new Backend(url, withoutScheme(token ?? env[TOKEN_VARIABLE]));

/** Who copies a token from a header often copies `Bearer` too. */
const withoutScheme = (token: string | undefined): string | undefined =>
  token?.trim().replace(/^Bearer\s+/i, '');

const unreachable = (message: string): CliError =>
  new CliError(message, EXIT.unreachable);

/** Of a server that speaks no TLS. */
const hintOf = (code: string): string =>
  code.startsWith('ERR_SSL')
    ? 'Does its address begin with http:// instead of https://?'
    : 'Is the backend running?';

function refused(
  url: string,
  status: number,
  said: string,
  hasToken: boolean,
): CliError {
  const answer = `${url} answered HTTP ${status}${said === '' ? '' : `: ${said}`}`;
  switch (status) {
    case 400:
      return new CliError(answer);
    case 401:
      return unreachable(
        hasToken
          ? `${answer}. The token is not valid, or has expired: get a new one (docs/operations.md), and set ${TOKEN_VARIABLE}`
          : `${answer}. Set ${TOKEN_VARIABLE}, or pass --token`,
      );
    case 404:
      return unreachable(
        `${answer}. Is the policy router installed there, in a release that has this call?`,
      );
    default:
      return unreachable(answer);
  }
}

/** Backstage's error answers have it; a proxy in between has not. */
function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } };
    return typeof error?.message === 'string' ? oneLine(error.message) : '';
  } catch {
    return '';
  }
}

const codeOf = (error: unknown): string => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : (errorName(error) ?? 'an unknown error');
};
