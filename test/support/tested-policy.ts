/** A Rego policy that fails on demand, and questions for it. */
import type { PermissionRequest } from '../../src/request';
import { encodeJson } from '../../src/sources/opa-wasm/json-text';
import { regoInput } from '../../src/sources/rego/input';
import { buildBundle as buildWith } from './wasm-bundle';
import { requireOpa } from './with-opa';

export const ENTRYPOINT = 'tested/decision';

/** A bundle that the real OPA of the tests compiles. */
export const buildBundle = (
  rego: string,
  entrypoint: string = ENTRYPOINT,
  data: object = {},
): Promise<Buffer> => buildWith(requireOpa(), rego, entrypoint, data);

export const SECRET = 'user:default/secret-agent';

/** Decides or fails according to the permission's name. */
export const BREAKING_REGO = `package tested

import rego.v1

name := input.permission.name

decision := {"result": "ALLOW"} if name in {"allow", "conflict"}
decision := {"result": "DENY"} if name == "conflict"
decision := {"result": "ALLOW"} if {
	name == "missing built-in"
	http.send({"method": "get", "url": input.identity.user}).status_code == 200
}
decision := {"result": twice(2)} if name == "function conflict"
decision := {v: v | some v in [input.identity.user]} if name == "shape"
decision := {input.identity.user: v | some v in ["a", "b"]} if name == "object conflict"
decision := {"result": "ALLOW"} if {
	name == "out of memory"
	count([[x, y] | some x in numbers.range(1, 3000); some y in numbers.range(1, 3000)]) > 0
}
decision := {"result": "ALLOW"} if {
	name == "much memory"
	count([[x, y] | some x in numbers.range(1, 200); some y in numbers.range(1, 200)]) > 0
}
decision := {"result": "ALLOW"} if {
	name == "deep"
	brackets := concat("", ["[" | some _ in numbers.range(1, 20000)])
	json.unmarshal(brackets) == 1
}
decision := {"result": "ALLOW"} if {
	name == "bad pattern"
	count(regex.split(concat("", ["(", input.identity.user]), "x")) > 0
}
decision := {"result": "ALLOW"} if name == "a\\ufffdb\\ufffd"
decision := {"result": "ALLOW"} if name == "\\\\ud800"
decision := {"result": "ALLOW"} if data.roles[input.identity.user] == "admin"

twice(x) := "ALLOW" if x > 0
twice(x) := "DENY" if x > 1
`;

/** The policy's data about users. */
export const ROLES = { roles: { 'user:default/root': 'admin' } };

export const request = (
  name: string,
  userEntityRef = SECRET,
  ownershipEntityRefs: readonly string[] = [],
): PermissionRequest => ({
  permission: { type: 'basic', name, attributes: {} },
  principal: { userEntityRef, ownershipEntityRefs },
});

/** A policy that always returns this result. */
export const constant = (result: string): string =>
  `package tested\nimport rego.v1\ndecision := {"result": "${result}"}\n`;

/** The input for such a question in the evaluator's format. */
export const inputOf = (...question: Parameters<typeof request>): Uint8Array[] => [
  new Uint8Array(encodeJson(JSON.stringify(regoInput(request(...question))))),
];
