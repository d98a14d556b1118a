# What people are told without looking: alerts from the logs and metrics, the budget, the daily cap.

locals {
  log_alerts = {
    server-errors = {
      query       = "server_errors"
      description = "More than 5 of 100 requests failed with 5xx, of at least 20 in a quarter of an hour."
      severity    = 2
      column      = "FailedPercent"
      threshold   = 5
    }
    rate-limits = {
      query       = "rate_limits"
      description = "More than 20 of 100 requests were refused with 429, by the gateway or by Azure."
      severity    = 3
      column      = "RefusedPercent"
      threshold   = 20
    }
    latency-responses = {
      query       = "latency"
      description = "Of 100 answers of the coding model, 5 began later than ${var.observability.latency_seconds.responses} s."
      severity    = 3
      column      = "P95Seconds"
      threshold   = var.observability.latency_seconds.responses
      dimension   = { name = "Endpoint", value = "responses" }
    }
    latency-embeddings = {
      query       = "latency"
      description = "Of 100 answers of the embeddings model, 5 began later than ${var.observability.latency_seconds.embeddings} s."
      severity    = 3
      column      = "P95Seconds"
      threshold   = var.observability.latency_seconds.embeddings
      dimension   = { name = "Endpoint", value = "embeddings" }
    }
    upstream-failures = {
      query       = "upstream_failures"
      description = "More than 10 of 100 requests that reached LiteLLM failed there or in Azure, retries included."
      severity    = 2
      column      = "FailedPercent"
      threshold   = 10
    }
    no-replica = {
      query       = "no_replica"
      description = "Requests came, and no replica was there to take them."
      severity    = 1
      column      = "Requests"
      threshold   = 0
    }
    # Not the metric Replicas: it counts those that start and fail as well, and says nothing where there is none.
    not-ready = {
      query       = "not_ready"
      description = "For a quarter of an hour no replica was ready, where there should always be ${var.scale.min_replicas}; or no log comes."
      severity    = 1
      column      = "Answers"
      operator    = "LessThan"
      threshold   = 1
      # With a minimum of 0, none is nothing unusual.
      wanted = var.scale.min_replicas > 0
    }
    # The objective is 99 % of a month: 1 of 100 may fail. At these rates 2 % of that are used up in an hour, 5 % in six
    # (sre.google/workbook/alerting-on-slos, where the short windows are 5 and 30 minutes; logs come minutes late here).
    objective-fast = {
      query       = "burn_rate_fast"
      description = "Requests fail 14.4 times as often as 99 % in a month allow, for an hour and still."
      severity    = 1
      column      = "BurnRate"
      threshold   = 14.4
      look_back   = "PT1H"
    }
    objective-slow = {
      query       = "burn_rate_slow"
      description = "Requests fail 6 times as often as 99 % in a month allow, for six hours and still."
      severity    = 2
      column      = "BurnRate"
      threshold   = 6
      look_back   = "PT6H"
    }
    daily-cap = {
      query       = "daily_cap"
      description = "The daily cap is reached: until tomorrow no log is taken, and no other alert from the logs can come."
      severity    = 1
      column      = "Events"
      threshold   = 0
      # It is said once a day, and comes late.
      look_back = "PT1H"
    }
  }
}

resource "azurerm_monitor_action_group" "gateway" {
  name                = var.names.action_group
  resource_group_name = azurerm_resource_group.gateway.name
  short_name          = var.names.action_group_short_name
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = toset(var.observability.alert_emails)
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }

  # Where nobody is named, who owns the subscription: an alert that nobody is told of is none.
  dynamic "arm_role_receiver" {
    for_each = length(var.observability.alert_emails) == 0 ? ["owners"] : []
    content {
      name = arm_role_receiver.value
      # Owner, the same everywhere (learn.microsoft.com/azure/role-based-access-control/built-in-roles).
      role_id                 = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "gateway" {
  for_each = { for name, alert in local.log_alerts : name => alert if var.observability.alerts && lookup(alert, "wanted", true) }

  name                = "${var.names.container_app}-${each.key}"
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  scopes              = [azurerm_log_analytics_workspace.gateway.id]
  description         = each.value.description
  severity            = each.value.severity
  tags                = local.tags

  # Every quarter of an hour costs a third of every five minutes, and logs are minutes late anyway.
  evaluation_frequency = "PT15M"
  window_duration      = lookup(each.value, "look_back", "PT15M")
  # The tables come to be with their first line.
  skip_query_validation   = true
  auto_mitigation_enabled = true

  criteria {
    query                   = trimspace(file("${path.module}/queries/alerts/${each.value.query}.kql"))
    time_aggregation_method = "Maximum"
    metric_measure_column   = each.value.column
    operator                = lookup(each.value, "operator", "GreaterThan")
    threshold               = each.value.threshold

    dynamic "dimension" {
      for_each = lookup(each.value, "dimension", null)[*]
      content {
        name     = dimension.value.name
        operator = "Include"
        values   = [dimension.value.value]
      }
    }

    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.gateway.id]
  }
}

resource "azurerm_monitor_metric_alert" "restarts" {
  count = var.observability.alerts ? 1 : 0

  name                = "${var.names.container_app}-restarts"
  resource_group_name = azurerm_resource_group.gateway.name
  scopes              = [azurerm_container_app.gateway.id]
  description         = "A replica has been started again three times since it was made: its containers fail."
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT5M"
  tags                = local.tags

  # The metric counts from the replica's beginning (github.com/microsoft/azure-container-apps/issues/467), so the alert
  # stands until that replica is gone.
  criteria {
    metric_namespace = "Microsoft.App/containerapps"
    metric_name      = "RestartCount"
    aggregation      = "Maximum"
    operator         = "GreaterThan"
    threshold        = 2
  }

  action {
    action_group_id = azurerm_monitor_action_group.gateway.id
  }
}

resource "azurerm_consumption_budget_resource_group" "gateway" {
  count = var.observability.monthly_budget == null ? 0 : 1

  name              = "monthly"
  resource_group_id = azurerm_resource_group.gateway.id
  amount            = var.observability.monthly_budget
  time_grain        = "Monthly"

  # Azure takes the first of a month, and of none that is over.
  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00Z", plantimestamp())
  }

  dynamic "notification" {
    for_each = { 80 = "Actual", 100 = "Actual", 110 = "Forecasted" }
    content {
      operator       = "GreaterThan"
      threshold      = tonumber(notification.key)
      threshold_type = notification.value
      contact_groups = [azurerm_monitor_action_group.gateway.id]
      # Who pays is told also where nobody is named.
      contact_roles = ["Owner"]
    }
  }

  lifecycle {
    ignore_changes = [time_period]
  }
}
