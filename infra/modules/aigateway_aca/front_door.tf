# Phase 2, off by default: Front Door with a firewall. Its private link is then the only way to the gateway; Azure wants
# that approved by hand, once (docs/deploy.md).

resource "azurerm_cdn_frontdoor_profile" "gateway" {
  count = var.front_door.enabled ? 1 : 0

  name                = var.names.front_door_profile
  resource_group_name = azurerm_resource_group.gateway.name
  # Private links and managed rules are the premium one's.
  sku_name = "Premium_AzureFrontDoor"
  # The most that there is: a model may think for minutes before it says a word.
  response_timeout_seconds = 240
  tags                     = local.tags
}

resource "azurerm_cdn_frontdoor_endpoint" "gateway" {
  count = var.front_door.enabled ? 1 : 0

  name                     = var.names.front_door_endpoint
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.gateway[0].id
  tags                     = local.tags
}

# No health probe: with one origin it decides nothing, and from every place of Front Door's it would keep a gateway
# awake that may sleep (learn.microsoft.com/azure/frontdoor/health-probes).
resource "azurerm_cdn_frontdoor_origin_group" "gateway" {
  count = var.front_door.enabled ? 1 : 0

  name                     = "gateway"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.gateway[0].id
  session_affinity_enabled = false

  load_balancing {}
}

resource "azurerm_cdn_frontdoor_origin" "gateway" {
  count = var.front_door.enabled ? 1 : 0

  name                           = "gateway"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.gateway[0].id
  host_name                      = azurerm_container_app.gateway.ingress[0].fqdn
  origin_host_header             = azurerm_container_app.gateway.ingress[0].fqdn
  certificate_name_check_enabled = true

  private_link {
    target_type            = "managedEnvironments"
    private_link_target_id = azurerm_container_app_environment.gateway.id
    location               = azurerm_container_app_environment.gateway.location
    request_message        = "Front Door of ${var.names.container_app}"
  }
}

resource "azurerm_cdn_frontdoor_route" "gateway" {
  count = var.front_door.enabled ? 1 : 0

  name                          = "gateway"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.gateway[0].id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.gateway[0].id
  cdn_frontdoor_origin_ids      = azurerm_cdn_frontdoor_origin.gateway[*].id
  # What the gateway does not serve it refuses by itself, in OpenAI's shape, as everywhere; Front Door would show a page.
  patterns_to_match      = ["/*"]
  supported_protocols    = ["Https"]
  https_redirect_enabled = false
  forwarding_protocol    = "HttpsOnly"
}

resource "azurerm_cdn_frontdoor_firewall_policy" "gateway" {
  count = var.front_door.enabled ? 1 : 0

  name                = var.names.waf_policy
  resource_group_name = azurerm_resource_group.gateway.name
  sku_name            = azurerm_cdn_frontdoor_profile.gateway[0].sku_name
  mode                = "Prevention"
  tags                = local.tags

  # Bodies are source code, in which every rule against injected code would find something.
  request_body_check_enabled = false

  # No answer of our own: one would be the whole policy's, while without it the rate limit says 429, which clients try
  # again, and each other rule 403 (learn.microsoft.com/azure/web-application-firewall/afds/
  # waf-front-door-configure-custom-response-code).

  dynamic "custom_rule" {
    for_each = length(var.allowed_ip_ranges) > 0 ? ["OnlyAllowedAddresses"] : []
    content {
      name     = custom_rule.value
      priority = 1
      type     = "MatchRule"
      action   = "Block"
      match_condition {
        # Not RemoteAddr, which a client may write itself (X-Forwarded-For).
        match_variable     = "SocketAddr"
        operator           = "IPMatch"
        negation_condition = true
        match_values       = var.allowed_ip_ranges
      }
    }
  }

  custom_rule {
    name                           = "RequestsOfOneAddress"
    priority                       = 2
    type                           = "RateLimitRule"
    action                         = "Block"
    rate_limit_duration_in_minutes = 1
    rate_limit_threshold           = var.front_door.requests_per_minute
    match_condition {
      match_variable = "SocketAddr"
      operator       = "IPMatch"
      match_values   = ["0.0.0.0/0", "::/0"]
    }
  }

  managed_rule {
    type    = "Microsoft_DefaultRuleSet"
    version = "2.1"
    action  = "Block"
  }
  managed_rule {
    type    = "Microsoft_BotManagerRuleSet"
    version = "1.1"
    action  = "Block"

    # Assistants and SDKs are bots by what they call themselves: those rules tell of them, and let them in
    # (learn.microsoft.com/azure/web-application-firewall/afds/waf-front-door-drs#bot300).
    override {
      rule_group_name = "UnknownBots"
      dynamic "rule" {
        for_each = ["Bot300100", "Bot300300", "Bot300700"]
        content {
          rule_id = rule.value
          enabled = true
          action  = "Log"
        }
      }
    }
  }
}

resource "azurerm_cdn_frontdoor_security_policy" "gateway" {
  count = var.front_door.enabled ? 1 : 0

  name                     = "gateway"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.gateway[0].id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.gateway[0].id
      association {
        patterns_to_match = ["/*"]
        domain {
          cdn_frontdoor_domain_id = azurerm_cdn_frontdoor_endpoint.gateway[0].id
        }
      }
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "front_door" {
  count = var.front_door.enabled ? 1 : 0

  name                       = "firewall"
  target_resource_id         = azurerm_cdn_frontdoor_profile.gateway[0].id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.gateway.id

  enabled_log {
    category = "FrontDoorWebApplicationFirewallLog"
  }
}
