# The Backstage policy that config/routing.yaml routes to: one decision per permission.
#
# The router asks for data.backstage_policy.decision with
#   input.permission  {name, type, attributes: {action}, resourceType}
#   input.identity    {user, claims}
# and expects one of
#   {"result": "ALLOW"}, {"result": "DENY"}, {"result": "NOT_APPLICABLE"} (abstains), or
#   {"result": "CONDITIONAL", "pluginId": …, "resourceType": …, "conditions": …}
package backstage_policy

import rego.v1

# What no rule below decides is denied, so a new permission is closed until one does.
default decision := {"result": "DENY"}

platform_group := "group:default/platform"

# Deleting an entity that carries this annotation takes the platform team.
protected_annotation := "example.com/protected"

# Entities with this label are shown to their owners only.
private_label := {"label": "visibility", "value": "private"}

platform_member if platform_group in input.identity.claims

# One chain, so that no two rules can answer at once (a conflict is an error in OPA).
#
# METADATA
# entrypoint: true
decision := {"result": "ALLOW"} if {
	platform_member
} else := entity_decision({"anyOf": [{"not": has_label(private_label)}, owned_by_user]}) if {
	input.permission.name == "catalog.entity.read"
	asked_about_entity
} else := entity_decision({"allOf": [owned_by_user, {"not": has_annotation(protected_annotation)}]}) if {
	# Safe by itself, on whatever route it is asked.
	input.permission.name == "catalog.entity.delete"
	asked_about_entity
} else := {"result": "NOT_APPLICABLE"} if {
	# Whether an entity may be refreshed is left to ownership.
	input.permission.name == "catalog.entity.refresh"
} else := {"result": "ALLOW"} if {
	# Every signed-in user may run templates: control what a template does in its review.
	input.permission.name in {"scaffolder.task.create", "scaffolder.action.execute"}
	input.identity.user
}

# Backstage applies conditions to entities only. A question without a resource, for example from a
# page that asks by name, cannot take them: it is denied by the default, or the router would
# report an invalid decision.
asked_about_entity if {
	input.permission.type == "resource"
	input.permission.resourceType == "catalog-entity"
}

owned_by_user := {
	"resourceType": "catalog-entity",
	"rule": "IS_ENTITY_OWNER",
	"params": {"claims": input.identity.claims},
}

has_label(params) := {
	"resourceType": "catalog-entity",
	"rule": "HAS_LABEL",
	"params": params,
}

has_annotation(annotation) := {
	"resourceType": "catalog-entity",
	"rule": "HAS_ANNOTATION",
	"params": {"annotation": annotation},
}

entity_decision(conditions) := {
	"result": "CONDITIONAL",
	"pluginId": "catalog",
	"resourceType": "catalog-entity",
	"conditions": conditions,
}
