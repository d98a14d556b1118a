# The Container App: Envoy, where requests come in, and LiteLLM behind it, in one replica and one network namespace.

resource "azurerm_container_app_environment" "gateway" {
  name                = var.names.container_app_environment
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  tags                = local.tags

  # By the diagnostic setting in observability.tf: only so are there HTTP logs.
  logs_destination = "azure-monitor"

  infrastructure_subnet_id = one(azurerm_subnet.apps[*].id)

  # With Front Door before it, its private link is the only way in.
  public_network_access = var.front_door.enabled ? "Disabled" : "Enabled"

  # An environment that was made without a profile can never get one.
  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }

  lifecycle {
    # In a network Azure makes this group and names it; azurerm would then make the environment anew with each apply
    # (github.com/hashicorp/terraform-provider-azurerm/issues/28727).
    ignore_changes = [infrastructure_resource_group_name]
  }
}

resource "azurerm_container_app" "gateway" {
  name                         = var.names.container_app
  resource_group_name          = azurerm_resource_group.gateway.name
  container_app_environment_id = azurerm_container_app_environment.gateway.id
  workload_profile_name        = "Consumption"
  tags                         = local.tags

  # The platform moves the traffic when the new revision's replicas are ready, and not before.
  revision_mode = "Single"
  # azurerm sends 0 for what is not said, and then there is nothing to go back to.
  max_inactive_revisions = 10

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.gateway.id]
  }

  dynamic "secret" {
    for_each = local.secrets
    content {
      name                = secret.key
      key_vault_secret_id = azurerm_key_vault_secret.gateway[secret.key].versionless_id
      identity            = azurerm_user_assigned_identity.gateway.id
    }
  }

  ingress {
    external_enabled           = true
    allow_insecure_connections = false
    target_port                = local.edge_port
    transport                  = "http"

    # The ingress sees Front Door's address, and not the client's, when there is one; its firewall has the ranges then.
    dynamic "ip_security_restriction" {
      for_each = var.front_door.enabled ? [] : var.allowed_ip_ranges
      content {
        name             = "allow-${replace(ip_security_restriction.value, "/[./]/", "-")}"
        action           = "Allow"
        ip_address_range = ip_security_restriction.value
      }
    }

    traffic_weight {
      percentage      = 100
      latest_revision = true
    }
  }

  template {
    min_replicas                     = var.scale.min_replicas
    max_replicas                     = var.scale.max_replicas
    cooldown_period_in_seconds       = var.scale.cooldown_seconds
    termination_grace_period_seconds = var.scale.termination_grace_seconds

    http_scale_rule {
      name                = "requests"
      concurrent_requests = tostring(var.scale.concurrent_requests)
    }

    container {
      name    = "envoy"
      image   = local.images.envoy
      cpu     = var.sizes.envoy.cpu
      memory  = "${var.sizes.envoy.memory_gib}Gi"
      command = ["/bin/sh", "-c"]
      args    = [file("${path.module}/start/envoy.sh")]

      dynamic "env" {
        for_each = merge(local.settings_of.envoy, { SECRET_VERSIONS = local.versions_of.envoy })
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.secrets_of.envoy
        content {
          name        = env.key
          secret_name = env.value
        }
      }

      # Envoy is there long before LiteLLM is; it must not be started again for that.
      startup_probe {
        transport               = "TCP"
        port                    = local.edge_port
        interval_seconds        = 1
        failure_count_threshold = 60
      }
      liveness_probe {
        transport               = "TCP"
        port                    = local.edge_port
        interval_seconds        = 10
        timeout                 = 5
        failure_count_threshold = 3
      }
      # Through both parts, to no model: requests come when LiteLLM answers.
      readiness_probe {
        transport               = "HTTP"
        port                    = local.edge_port
        path                    = "/healthz"
        interval_seconds        = 5
        timeout                 = 6
        success_count_threshold = 1
        failure_count_threshold = 3
      }
    }

    container {
      name    = "litellm"
      image   = local.images.litellm
      cpu     = var.sizes.litellm.cpu
      memory  = "${var.sizes.litellm.memory_gib}Gi"
      command = ["/bin/sh", "-c"]
      args    = [file("${path.module}/start/litellm.sh")]

      dynamic "env" {
        for_each = merge(local.settings_of.litellm, { SECRET_VERSIONS = local.versions_of.litellm })
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.secrets_of.litellm
        content {
          name        = env.key
          secret_name = env.value
        }
      }

      # LiteLLM listens on the loopback, where no probe comes: both go through Envoy to LiteLLM's own health.
      # It needs 8-10 s to start, and up to 82 s were seen on a busy machine; it may take 5 minutes. Not less than the
      # launchers give it (aigateway.launching.stack).
      startup_probe {
        transport               = "HTTP"
        port                    = local.edge_port
        path                    = "/healthz"
        interval_seconds        = 5
        timeout                 = 6
        failure_count_threshold = 60
      }
      liveness_probe {
        transport               = "HTTP"
        port                    = local.edge_port
        path                    = "/healthz"
        interval_seconds        = 20
        timeout                 = 10
        failure_count_threshold = 6
      }
    }
  }

  # The vault that is private is found, and reached, by its endpoint alone.
  depends_on = [
    terraform_data.role_holds,
    azurerm_private_endpoint.vault,
    azurerm_private_dns_zone_virtual_network_link.vault,
  ]

  lifecycle {
    precondition {
      condition     = length(local.unanswered.litellm) == 0
      error_message = "litellm.yaml asks for ${join(", ", local.unanswered.litellm)}, for which there is no secret; LiteLLM is given ${join(", ", keys(local.secrets_of.litellm))}. Run: aigateway render."
    }
    precondition {
      condition     = length(local.unanswered.envoy) == 0
      error_message = "envoy.yaml asks for ${join(", ", local.unanswered.envoy)}, for which there is no secret; Envoy is given ${join(", ", keys(local.secrets_of.envoy))}. Run: aigateway render."
    }
    precondition {
      condition     = length(setsubtract(keys(local.secrets_of.envoy), local.asked_by.envoy)) == 0
      error_message = "client_keys has ${join(", ", setsubtract(keys(local.secrets_of.envoy), local.asked_by.envoy))}, which envoy.yaml does not ask for, so that it would be refused. Run: aigateway render."
    }
    precondition {
      condition     = max(values(local.config_bytes)...) <= 131000
      error_message = "litellm.yaml has ${local.config_bytes.litellm} bytes and envoy.yaml ${local.config_bytes.envoy}; must be at most 131000 each, since they are handed over as environment variables. Declare fewer clients."
    }
    precondition {
      condition     = length(local.expanding) == 0
      error_message = "${join(" and ", local.expanding)}.yaml must have no '$$' and no '$(': Container Apps would put something else in their place."
    }
  }
}
