# The policy that the benchmark's contestants ask. Its chain is as long as that of
# config/policies/backstage.rego, and as there the questions of most users reach its end.
#
# It decides by the permission's name and the user's groups only, because the opa-wrapper module
# sends nothing else.
package backstage_policy

import rego.v1

default decision := {"result": "DENY"}

platform_group := "group:default/platform"

# METADATA
# entrypoint: true
decision := {"result": "ALLOW"} if {
	platform_group in input.identity.claims
} else := entity_decision(owned_by_user) if {
	startswith(input.permission.name, "catalog.entity.")
} else := {"result": "NOT_APPLICABLE"} if {
	input.permission.name == "scaffolder.task.read"
} else := {"result": "ALLOW"} if {
	input.permission.name in {"scaffolder.task.create", "scaffolder.action.execute"}
	input.identity.user
} else := {"result": "ALLOW"} if {
	startswith(input.permission.name, "open.")
	input.identity.user
}

owned_by_user := {
	"resourceType": "catalog-entity",
	"rule": "IS_ENTITY_OWNER",
	"params": {"claims": input.identity.claims},
}

entity_decision(conditions) := {
	"result": "CONDITIONAL",
	"pluginId": "catalog",
	"resourceType": "catalog-entity",
	"conditions": conditions,
}
