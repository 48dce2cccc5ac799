# Who runs templates, and with which actions.
package backstage.scaffolder

import rego.v1

default decision := {"result": "DENY", "reason": "no rule of the scaffolder policy allows it"}

# METADATA
# entrypoint: true
decision := {"result": "ALLOW"} if {
	"group:default/platform" in input.identity.claims
} else := {"result": "ALLOW"} if {
	input.permission.name in forms
	input.identity.user
} else := {"result": "ALLOW"} if {
	input.permission.name == "scaffolder.task.create"
	some group in input.identity.claims
	group in may_run_templates
} else := everything_but_publishing if {
	input.permission.name == "scaffolder.action.execute"
	input.permission.resourceType == "scaffolder-action"
	input.identity.user
}

forms := {"scaffolder.template.parameter.read", "scaffolder.template.step.read"}

may_run_templates := {"group:default/search", "group:default/payments"}

everything_but_publishing := {
	"result": "CONDITIONAL",
	"pluginId": "scaffolder",
	"resourceType": "scaffolder-action",
	"conditions": {"not": {
		"resourceType": "scaffolder-action",
		"rule": "HAS_ACTION_ID",
		"params": {"actionId": "publish:github"},
	}},
}
