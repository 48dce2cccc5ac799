import { CliError } from './exit-code';

/**
 * Credentials in a URL are never sent, but messages show the URL.
 *
 * @param variable - where a token belongs.
 * @throws CliError that does not show them.
 */
export function refuseCredentials(url: string, option: string, variable: string): void {
  if (!URL.canParse(url)) return;
  const { username, password } = new URL(url);
  if (username === '' && password === '') return;
  throw new CliError(
    `${option} must not contain a user or a password: put a token in ${variable}`,
  );
}
