# Nobody but the platform team changes anything during a freeze. Set it as data:
#   curl -X PUT http://127.0.0.1:8181/v1/data/freeze -d '{"active": true}'
package backstage.freeze

import rego.v1

default decision := {"result": "NOT_APPLICABLE"}

# METADATA
# entrypoint: true
decision := {"result": "DENY", "reason": "the platform is frozen"} if {
	data.freeze.active
	not "group:default/platform" in input.identity.claims
}
