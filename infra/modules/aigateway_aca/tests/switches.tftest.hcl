# Each switch on; off is what deployment.tftest.hcl sees, and the first run here.

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

run "all_off" {
  command = plan

  variables {
    observability = merge(var.observability, { alerts = false, monthly_budget = null, daily_cap_gb = null })
  }

  assert {
    condition = alltrue([
      length(azurerm_cdn_frontdoor_profile.gateway) == 0,
      length(azurerm_cdn_frontdoor_endpoint.gateway) == 0,
      length(azurerm_cdn_frontdoor_origin.gateway) == 0,
      length(azurerm_cdn_frontdoor_route.gateway) == 0,
      length(azurerm_cdn_frontdoor_firewall_policy.gateway) == 0,
      length(azurerm_cdn_frontdoor_security_policy.gateway) == 0,
      length(azurerm_monitor_diagnostic_setting.front_door) == 0,
      length(azurerm_virtual_network.gateway) == 0,
      length(azurerm_subnet.apps) == 0,
      length(azurerm_subnet.endpoints) == 0,
      length(azurerm_network_security_group.gateway) == 0,
      length(azurerm_subnet_network_security_group_association.gateway) == 0,
      length(azurerm_private_endpoint.vault) == 0,
      length(azurerm_private_dns_zone.vault) == 0,
      length(azurerm_application_insights.gateway) == 0,
      length(azurerm_monitor_scheduled_query_rules_alert_v2.gateway) == 0,
      length(azurerm_monitor_metric_alert.restarts) == 0,
      length(azurerm_consumption_budget_resource_group.gateway) == 0,
      azurerm_log_analytics_workspace.gateway.daily_quota_gb == -1,
      azurerm_key_vault.gateway.network_acls[0].default_action == "Allow",
      azurerm_container_app_environment.gateway.public_network_access == "Enabled",
    ])
    error_message = "What is off is not there."
  }
}

run "watched" {
  command = plan

  variables {
    scale             = merge(var.scale, { min_replicas = 1 })
    allowed_ip_ranges = ["203.0.113.0/24", "198.51.100.7/32"]
    observability = merge(var.observability, {
      alert_emails         = ["team@contoso.com", "on-call@contoso.com"]
      application_insights = true
      daily_cap_gb         = 0.5
      monthly_budget       = 50
    })
  }

  assert {
    condition = [for rule in azurerm_container_app.gateway.ingress[0].ip_security_restriction : "${rule.name} ${rule.action} ${rule.ip_address_range}"] == [
      "allow-203-0-113-0-24 Allow 203.0.113.0/24", "allow-198-51-100-7-32 Allow 198.51.100.7/32",
    ]
    error_message = "The ingress lets these addresses in, and no other."
  }
  assert {
    condition = [
      azurerm_monitor_scheduled_query_rules_alert_v2.gateway["not-ready"].criteria[0].operator,
      tostring(azurerm_monitor_scheduled_query_rules_alert_v2.gateway["not-ready"].criteria[0].threshold),
    ] == ["LessThan", "1"]
    error_message = "The absence of a replica that always runs is told."
  }
  assert {
    condition     = toset(azurerm_monitor_action_group.gateway.email_receiver[*].email_address) == toset(["team@contoso.com", "on-call@contoso.com"]) && length(azurerm_monitor_action_group.gateway.arm_role_receiver) == 0
    error_message = "Both are told."
  }
  assert {
    condition     = azurerm_application_insights.gateway[0].name == "pvc-dev-aigateway-ai-san"
    error_message = "Application Insights is there."
  }
  assert {
    condition     = azurerm_log_analytics_workspace.gateway.daily_quota_gb == 0.5
    error_message = "No more logs are taken in a day."
  }
  assert {
    condition     = azurerm_consumption_budget_resource_group.gateway[0].amount == 50 && endswith(azurerm_consumption_budget_resource_group.gateway[0].time_period[0].start_date, "-01T00:00:00Z")
    error_message = "The budget begins on the first of a month."
  }
}

run "network" {
  command = plan

  variables {
    network = merge(var.network, { enabled = true })
  }

  assert {
    condition     = azurerm_subnet.apps[0].address_prefixes == tolist(["10.42.0.0/25"]) && azurerm_subnet.apps[0].delegation[0].service_delegation[0].name == "Microsoft.App/environments"
    error_message = "Half of the network is the environment's."
  }
  assert {
    condition     = length(azurerm_private_endpoint.vault) == 0 && azurerm_key_vault.gateway.network_acls[0].default_action == "Allow"
    error_message = "The vault stays as it was."
  }
  assert {
    condition     = [for rule in azurerm_network_security_group.gateway[0].security_rule : "${rule.source_address_prefix} ${join(" ", sort(rule.destination_port_ranges))}"] == ["Internet 31443 443"]
    error_message = "Clients come by HTTPS, and nobody else."
  }
}

run "front_door_and_private_vault" {
  variables {
    front_door        = merge(var.front_door, { enabled = true })
    allowed_ip_ranges = ["203.0.113.0/24"]
    network           = merge(var.network, { enabled = true, private_vault = true, vault_ip_ranges = ["203.0.113.7/32"] })
    secrets = merge(
      { for name in concat(values(var.client_keys), keys(var.secret_versions)) : name => sha256(name) },
      { azure-openai-endpoint = "https://contoso.openai.azure.com" },
    )
  }

  assert {
    condition = alltrue([
      azurerm_container_app_environment.gateway.public_network_access == "Disabled",
      azurerm_cdn_frontdoor_origin.gateway[0].private_link[0].private_link_target_id == azurerm_container_app_environment.gateway.id,
      azurerm_cdn_frontdoor_origin.gateway[0].private_link[0].target_type == "managedEnvironments",
      azurerm_cdn_frontdoor_origin.gateway[0].host_name == azurerm_container_app.gateway.ingress[0].fqdn,
      length(azurerm_network_security_group.gateway[0].security_rule) == 0,
    ])
    error_message = "Front Door's private link is the only way in."
  }
  assert {
    condition     = azurerm_cdn_frontdoor_route.gateway[0].patterns_to_match == tolist(["/*"]) && azurerm_cdn_frontdoor_route.gateway[0].supported_protocols == toset(["Https"])
    error_message = "All is let through to the gateway, which refuses what it does not serve, by HTTPS."
  }
  assert {
    condition = alltrue([
      azurerm_cdn_frontdoor_firewall_policy.gateway[0].mode == "Prevention",
      !azurerm_cdn_frontdoor_firewall_policy.gateway[0].request_body_check_enabled,
      azurerm_cdn_frontdoor_firewall_policy.gateway[0].managed_rule[*].type == tolist(["Microsoft_DefaultRuleSet", "Microsoft_BotManagerRuleSet"]),
      azurerm_cdn_frontdoor_security_policy.gateway[0].security_policies[0].firewall[0].association[0].domain[0].cdn_frontdoor_domain_id == azurerm_cdn_frontdoor_endpoint.gateway[0].id,
    ])
    error_message = "The firewall refuses, and leaves bodies alone: they are source code."
  }
  assert {
    condition     = [for rule in azurerm_cdn_frontdoor_firewall_policy.gateway[0].managed_rule[1].override[0].rule : "${rule.rule_id} ${rule.action}"] == ["Bot300100 Log", "Bot300300 Log", "Bot300700 Log"]
    error_message = "An SDK, whatever it calls itself, is no bot to be kept out."
  }
  assert {
    condition     = [for rule in azurerm_cdn_frontdoor_firewall_policy.gateway[0].custom_rule : "${rule.type} ${rule.match_condition[0].match_variable}"] == ["MatchRule SocketAddr", "RateLimitRule SocketAddr"]
    error_message = "It knows who may connect, and how often."
  }
  assert {
    condition     = azurerm_cdn_frontdoor_firewall_policy.gateway[0].custom_block_response_status_code == null && azurerm_cdn_frontdoor_firewall_policy.gateway[0].custom_block_response_body == null
    error_message = "An answer of our own would have one status for all: the rate limit's 429 is to be tried again, and the rules' 403 is not."
  }
  assert {
    condition     = length(azurerm_container_app.gateway.ingress[0].ip_security_restriction) == 0
    error_message = "The ingress sees Front Door's addresses, and not the clients'."
  }
  assert {
    condition     = output.base_url == "https://fde-0123456789.a01.azurefd.net"
    error_message = "Clients find the gateway at Front Door."
  }
  assert {
    condition     = azurerm_key_vault.gateway.network_acls[0].default_action == "Deny" && azurerm_key_vault.gateway.network_acls[0].ip_rules == toset(["203.0.113.7/32"])
    error_message = "Besides the network, only who deploys reaches the vault."
  }
  assert {
    condition = alltrue([
      azurerm_private_endpoint.vault[0].private_service_connection[0].private_connection_resource_id == azurerm_key_vault.gateway.id,
      azurerm_private_endpoint.vault[0].private_dns_zone_group[0].private_dns_zone_ids == tolist([azurerm_private_dns_zone.vault[0].id]),
      azurerm_private_dns_zone_virtual_network_link.vault[0].virtual_network_id == azurerm_virtual_network.gateway[0].id,
      azurerm_container_app_environment.gateway.infrastructure_subnet_id == azurerm_subnet.apps[0].id,
      toset(keys(azurerm_subnet_network_security_group_association.gateway)) == toset(["apps", "endpoints"]),
    ])
    error_message = "The network finds the vault by its name, at the private endpoint."
  }
}
