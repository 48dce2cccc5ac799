package backstage_policy_test

import rego.v1

import data.backstage_policy

developer := {
	"user": "user:default/dana",
	"claims": ["user:default/dana", "group:default/payments"],
}

platform := {
	"user": "user:default/petra",
	"claims": ["user:default/petra", "group:default/platform"],
}

# By name only, as a page asks that knows no resource.
ask(name, identity) := ask_permission({"name": name, "type": "basic", "attributes": {}}, identity)

ask_about_entity(name, identity) := ask_permission(
	{"name": name, "type": "resource", "attributes": {}, "resourceType": "catalog-entity"},
	identity,
)

ask_permission(permission, identity) := decision if {
	decision := backstage_policy.decision with input as {
		"permission": permission,
		"identity": identity,
	}
}

test_developer_reads_what_is_not_private_or_is_owned if {
	decision := ask_about_entity("catalog.entity.read", developer)
	decision.result == "CONDITIONAL"
	decision.conditions.anyOf[0]["not"].rule == "HAS_LABEL"
	decision.conditions.anyOf[1].params.claims == developer.claims
}

test_developer_deletes_only_what_is_owned_and_not_protected if {
	decision := ask_about_entity("catalog.entity.delete", developer)
	decision.conditions.allOf[0].params == {"claims": developer.claims}
	decision.conditions.allOf[1]["not"].params == {"annotation": "example.com/protected"}
}

test_refresh_is_left_to_ownership if {
	ask_about_entity("catalog.entity.refresh", developer) == {"result": "NOT_APPLICABLE"}
}

# A condition would be an invalid decision there, and a warning in the log.
test_entity_permission_asked_by_name_only_is_denied if {
	every name in {"catalog.entity.read", "catalog.entity.delete"} {
		ask(name, developer) == {"result": "DENY"}
		ask(name, {"claims": []}) == {"result": "DENY"}
	}
}

test_entity_permission_asked_about_another_resource_type_is_denied if {
	every name in {"catalog.entity.read", "catalog.entity.delete"} {
		ask_permission(
			{"name": name, "type": "resource", "attributes": {}, "resourceType": "scaffolder-task"},
			developer,
		) == {"result": "DENY"}
	}
}

test_developer_may_not_write_or_look_into_the_installation if {
	every name in {
		"catalog.entity.create",
		"catalog.entity.validate",
		"catalog.location.create",
		"catalog.location.delete",
		"catalog.location.analyze",
		"catalog.ingestion.read",
		"catalog.ingestion.manage",
		"catalog.entities.unprocessed.read",
		"scaffolder.task.read",
		"scaffolder.template.dry-run",
		"scaffolder.template.management",
		"devtools.administer",
		"devtools.config",
		"kubernetes.clusters.read",
		"an.unheard.of.permission",
	} {
		ask(name, developer) == {"result": "DENY"}
	}
}

test_every_signed_in_user_runs_templates if {
	every name in {"scaffolder.task.create", "scaffolder.action.execute"} {
		ask(name, developer) == {"result": "ALLOW"}
		ask(name, {"claims": []}) == {"result": "DENY"}
	}
}

test_platform_may_do_everything_routed_here if {
	every name in {"catalog.entity.read", "catalog.location.delete", "devtools.config"} {
		ask(name, platform) == {"result": "ALLOW"}
		ask_about_entity(name, platform) == {"result": "ALLOW"}
	}
}

test_anonymous_gets_no_more_than_what_is_not_private if {
	ask("catalog.entity.create", {"claims": []}) == {"result": "DENY"}
	ask_about_entity("catalog.entity.read", {"claims": []}).result == "CONDITIONAL"
}
