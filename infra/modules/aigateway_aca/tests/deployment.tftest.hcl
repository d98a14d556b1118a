# dev, made by a first apply: who gets which secret, what the app is, in which order things come to be.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  environment       = jsondecode(file("../../env/dev/terraform.tfvars.json")).environment
  project           = jsondecode(file("../../env/dev/terraform.tfvars.json")).project
  location          = jsondecode(file("../../env/dev/terraform.tfvars.json")).location
  names             = jsondecode(file("../../env/dev/terraform.tfvars.json")).names
  images            = jsondecode(file("../../env/dev/terraform.tfvars.json")).images
  client_keys       = jsondecode(file("../../env/dev/terraform.tfvars.json")).client_keys
  secret_versions   = jsondecode(file("../../env/dev/terraform.tfvars.json")).secret_versions
  scale             = jsondecode(file("../../env/dev/terraform.tfvars.json")).scale
  sizes             = jsondecode(file("../../env/dev/terraform.tfvars.json")).sizes
  allowed_ip_ranges = jsondecode(file("../../env/dev/terraform.tfvars.json")).allowed_ip_ranges
  front_door        = jsondecode(file("../../env/dev/terraform.tfvars.json")).front_door
  network           = jsondecode(file("../../env/dev/terraform.tfvars.json")).network
  observability     = jsondecode(file("../../env/dev/terraform.tfvars.json")).observability
  litellm_config    = file("../../env/dev/litellm.yaml")
  envoy_config      = file("../../env/dev/envoy.yaml")
  role_wait_seconds = 0
  secrets           = {}
}

run "first_apply" {
  variables {
    secrets = merge(
      { for name in concat(values(var.client_keys), keys(var.secret_versions)) : name => sha256(name) },
      { azure-openai-endpoint = "https://contoso.openai.azure.com" },
    )
  }

  # --- secrets

  assert {
    condition = { for secret in azurerm_container_app.gateway.secret : secret.name => [secret.key_vault_secret_id, secret.identity] } == {
      for name in concat(values(var.client_keys), keys(var.secret_versions)) :
      name => [azurerm_key_vault_secret.gateway[name].versionless_id, azurerm_user_assigned_identity.gateway.id]
    }
    error_message = "Each secret of the app is a reference to the vault without a version, read with the identity."
  }
  assert {
    condition     = alltrue([for secret in azurerm_container_app.gateway.secret : secret.value == null || secret.value == ""])
    error_message = "No secret stands in the app itself."
  }
  assert {
    condition     = alltrue([for secret in azurerm_key_vault_secret.gateway : secret.value == null && secret.value_wo == null])
    error_message = "A secret's value is in the state."
  }
  assert {
    condition = { for env in azurerm_container_app.gateway.template[0].container[0].env : env.name => env.secret_name if env.secret_name != null && env.secret_name != "" } == merge(
      var.client_keys, { LITELLM_MASTER_KEY = "litellm-master-key" }
    )
    error_message = "Envoy gets the clients' keys and LiteLLM's, and no other secret."
  }
  assert {
    condition = { for env in azurerm_container_app.gateway.template[0].container[1].env : env.name => env.secret_name if env.secret_name != null && env.secret_name != "" } == {
      AZURE_OPENAI_ENDPOINT = "azure-openai-endpoint"
      AZURE_OPENAI_KEY      = "azure-openai-key"
      LITELLM_MASTER_KEY    = "litellm-master-key"
      LITELLM_SALT_KEY      = "litellm-salt-key"
    }
    error_message = "LiteLLM gets Azure's key and its own, and no client's."
  }
  assert {
    condition = [for container in azurerm_container_app.gateway.template[0].container : { for env in container.env : env.name => jsondecode(env.value) if env.name == "SECRET_VERSIONS" }.SECRET_VERSIONS] == [
      merge({ for secret in values(var.client_keys) : secret => 1 }, { litellm-master-key = 1 }),
      { azure-openai-endpoint = 1, azure-openai-key = 1, litellm-master-key = 1, litellm-salt-key = 1 },
    ]
    error_message = "Each container has the versions of its secrets, so that a new one makes a new revision."
  }
  assert {
    condition     = azurerm_key_vault.gateway.rbac_authorization_enabled && azurerm_key_vault.gateway.purge_protection_enabled
    error_message = "The vault is opened by roles, and cannot be purged."
  }

  # --- identity, then role, then wait, then app

  assert {
    condition = [
      azurerm_role_assignment.read_secrets.scope,
      azurerm_role_assignment.read_secrets.role_definition_name,
      azurerm_role_assignment.read_secrets.principal_id,
      azurerm_role_assignment.read_secrets.principal_type,
      tostring(azurerm_role_assignment.read_secrets.skip_service_principal_aad_check),
      ] == [
      azurerm_key_vault.gateway.id,
      "Key Vault Secrets User",
      azurerm_user_assigned_identity.gateway.principal_id,
      "ServicePrincipal",
      "true",
    ]
    error_message = "The identity may read the vault's secrets, and do nothing else."
  }
  assert {
    condition     = terraform_data.role_holds.triggers_replace == azurerm_role_assignment.read_secrets.id
    error_message = "The wait is for the role."
  }
  assert {
    condition     = azurerm_container_app.gateway.identity[0].identity_ids == toset([azurerm_user_assigned_identity.gateway.id])
    error_message = "The app has the identity that may read the vault."
  }

  # --- the app

  assert {
    condition     = azurerm_container_app.gateway.template[0].container[*].name == tolist(["envoy", "litellm"])
    error_message = "Envoy stands before LiteLLM."
  }
  assert {
    condition     = [for container in azurerm_container_app.gateway.template[0].container : concat(container.command, container.args)] == [for part in ["envoy", "litellm"] : tolist(["/bin/sh", "-c", file("./start/${part}.sh")])]
    error_message = "Each part is started by its script, unchanged."
  }
  assert {
    condition     = [for container in azurerm_container_app.gateway.template[0].container : [tostring(container.cpu), container.memory]] == [["0.25", "0.5Gi"], ["0.75", "1.5Gi"]]
    error_message = "The containers have the sizes of the settings."
  }
  assert {
    condition = alltrue([
      azurerm_container_app.gateway.ingress[0].external_enabled,
      !azurerm_container_app.gateway.ingress[0].allow_insecure_connections,
      azurerm_container_app.gateway.ingress[0].target_port == 10000,
      azurerm_container_app.gateway.ingress[0].transport == "http",
      length(azurerm_container_app.gateway.ingress[0].ip_security_restriction) == 0,
      azurerm_container_app.gateway.ingress[0].traffic_weight[0].percentage == 100,
      azurerm_container_app.gateway.ingress[0].traffic_weight[0].latest_revision,
    ])
    error_message = "Requests come from outside, by HTTPS only, to Envoy."
  }
  assert {
    condition     = { for env in azurerm_container_app.gateway.template[0].container[0].env : env.name => env.value if contains(["EDGE_PORT", "TERMINATION_GRACE_SECONDS"], env.name) } == { EDGE_PORT = "10000", TERMINATION_GRACE_SECONDS = "600" }
    error_message = "Envoy listens where the ingress knocks, and knows how long it may take to stop."
  }
  assert {
    condition = [
      azurerm_container_app.gateway.template[0].max_replicas,
      azurerm_container_app.gateway.template[0].cooldown_period_in_seconds,
      azurerm_container_app.gateway.template[0].termination_grace_period_seconds,
      tonumber(azurerm_container_app.gateway.template[0].http_scale_rule[0].concurrent_requests),
    ] == [var.scale.max_replicas, var.scale.cooldown_seconds, var.scale.termination_grace_seconds, var.scale.concurrent_requests]
    error_message = "The app scales as the settings say."
  }
  assert {
    condition = [
      for probe in concat(
        azurerm_container_app.gateway.template[0].container[0].readiness_probe,
        azurerm_container_app.gateway.template[0].container[1].startup_probe,
        azurerm_container_app.gateway.template[0].container[1].liveness_probe,
      ) : "${probe.transport} ${probe.port} ${probe.path}"
    ] == ["HTTP 10000 /healthz", "HTTP 10000 /healthz", "HTTP 10000 /healthz"]
    error_message = "Probes ask for the health that calls no model, through Envoy."
  }
  assert {
    condition = alltrue([
      for container in azurerm_container_app.gateway.template[0].container :
      length(container.startup_probe) == 1 && length(container.liveness_probe) == 1
    ])
    error_message = "Each part has a start-up and a liveness probe."
  }
  assert {
    condition     = one(azurerm_container_app.gateway.template[0].container[1].startup_probe).failure_count_threshold * one(azurerm_container_app.gateway.template[0].container[1].startup_probe).interval_seconds >= 120
    error_message = "LiteLLM has time to start: up to 82 s were measured."
  }
  assert {
    condition     = one(azurerm_container_app.gateway.template[0].container[0].readiness_probe).success_count_threshold == 1
    error_message = "A replica that answers once is ready."
  }
  assert {
    condition     = [for profile in azurerm_container_app_environment.gateway.workload_profile : profile.workload_profile_type] == ["Consumption"]
    error_message = "The environment is made with the Consumption profile; it cannot be added."
  }

  # --- logs

  assert {
    condition = alltrue([
      azurerm_container_app_environment.gateway.logs_destination == "azure-monitor",
      azurerm_container_app_environment.gateway.log_analytics_workspace_id == null,
      azurerm_monitor_diagnostic_setting.environment.target_resource_id == azurerm_container_app_environment.gateway.id,
      toset(azurerm_monitor_diagnostic_setting.environment.enabled_log[*].category) == toset(["ContainerAppConsoleLogs", "ContainerAppHTTPLogs", "ContainerAppSystemLogs"]),
    ])
    error_message = "All three kinds of logs go to the workspace, by the diagnostic setting."
  }

  # --- alerts

  assert {
    condition = toset(keys(azurerm_monitor_scheduled_query_rules_alert_v2.gateway)) == toset([
      "server-errors", "rate-limits", "latency-responses", "latency-embeddings", "upstream-failures", "no-replica",
      "objective-fast", "objective-slow", "daily-cap",
    ])
    error_message = "Each alert from the logs is there; with no replica that always runs, none is nothing to be told of."
  }
  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.gateway["objective-fast"].window_duration == "PT1H" && azurerm_monitor_scheduled_query_rules_alert_v2.gateway["objective-slow"].window_duration == "PT6H"
    error_message = "The burn rates look back as far as their queries do."
  }
  assert {
    condition     = azurerm_monitor_metric_alert.restarts[0].criteria[0].metric_name == "RestartCount"
    error_message = "Containers that fail again and again are told of."
  }
  assert {
    condition     = length(var.observability.alert_emails) == 0 && azurerm_monitor_action_group.gateway.arm_role_receiver[*].role_id == tolist(["8e3af657-a8ff-443c-a75c-2fe8c4bcb635"])
    error_message = "Where nobody is named, the subscription's owners are told."
  }

  assert {
    condition     = output.base_url == "https://ca.region.azurecontainerapps.io"
    error_message = "The output says where the gateway is: ${output.base_url}."
  }
}

# A deployment that changes no secret is given none.
run "next_apply" {
  variables {
    scale = merge(var.scale, { max_replicas = 2 })
  }

  assert {
    condition     = azurerm_container_app.gateway.template[0].max_replicas == 2
    error_message = "The change was made."
  }
}

# Only what is replaced is given.
run "replaced_key" {
  variables {
    secret_versions = merge(var.secret_versions, { azure-openai-key = 2 })
    secrets         = { azure-openai-key = sha256("another") }
  }

  assert {
    condition     = azurerm_key_vault_secret.gateway["azure-openai-key"].value_wo_version == 2
    error_message = "The key is written again."
  }
  assert {
    condition = [
      for container in azurerm_container_app.gateway.template[0].container :
      lookup(jsondecode(one([for env in container.env : env.value if env.name == "SECRET_VERSIONS"])), "azure-openai-key", 0)
    ] == [0, 2]
    error_message = "A new revision is made, by what LiteLLM alone is given."
  }
}

# keys: [a, b] → [b]: the config and the list of keys change together, and a's secret goes.
run "retired_client_key" {
  variables {
    secret_versions = merge(var.secret_versions, { azure-openai-key = 2 })
    client_keys     = { for variable, secret in var.client_keys : variable => secret if secret != "client-codex-a" }
    envoy_config    = replace(var.envoy_config, "$${CLIENT_KEY_CODEX_A}", "$${CLIENT_KEY_CODEX_B}")
  }

  assert {
    condition     = !contains(keys(azurerm_key_vault_secret.gateway), "client-codex-a") && !contains(azurerm_container_app.gateway.secret[*].name, "client-codex-a")
    error_message = "The retired key is gone from the vault and from the app."
  }
}
