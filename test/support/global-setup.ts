import { obtainOpa } from './opa-binary';

/** Tell the workers where the OPA binary is, or why it is missing. */
export const OPA_PATH_VARIABLE = 'POLICY_ROUTER_TEST_OPA';
export const NO_OPA_VARIABLE = 'POLICY_ROUTER_TEST_NO_OPA';

export default async function globalSetup(): Promise<void> {
  const opa = await obtainOpa();
  if (opa.path !== undefined) {
    process.env[OPA_PATH_VARIABLE] = opa.path;
    return;
  }
  if (process.env.CI === 'true') {
    throw new Error(
      `CI must test against a real OPA, but could not obtain one: ${opa.reason}`,
    );
  }
  process.env[NO_OPA_VARIABLE] = opa.reason;
}
