# Where the logs go, and how they are read: queries, and a workbook that shows them.

resource "azurerm_log_analytics_workspace" "gateway" {
  name                = var.names.log_analytics_workspace
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  sku                 = "PerGB2018"
  retention_in_days   = var.observability.log_retention_days
  # -1: no cap.
  daily_quota_gb = coalesce(var.observability.daily_cap_gb, -1)
  # Nothing writes here with the workspace's key: the logs come by the diagnostic setting.
  local_authentication_enabled = false
  tags                         = local.tags
}

# Without it no line arrives, and nothing says so. No destination type: azurerm would find a difference in every plan.
resource "azurerm_monitor_diagnostic_setting" "environment" {
  name                       = "logs"
  target_resource_id         = azurerm_container_app_environment.gateway.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.gateway.id

  # Three blocks and no list: a scan of the source can read them.
  enabled_log {
    category = "ContainerAppConsoleLogs"
  }
  enabled_log {
    category = "ContainerAppHTTPLogs"
  }
  enabled_log {
    category = "ContainerAppSystemLogs"
  }
}

resource "azurerm_application_insights" "gateway" {
  count = var.observability.application_insights ? 1 : 0

  name                         = var.names.application_insights
  resource_group_name          = azurerm_resource_group.gateway.name
  location                     = azurerm_resource_group.gateway.location
  workspace_id                 = azurerm_log_analytics_workspace.gateway.id
  application_type             = "web"
  local_authentication_enabled = false
  tags                         = local.tags
}

locals {
  # One query a file; its name is the query's, and its first line, a comment, says what it shows.
  queries = {
    for file in fileset("${path.module}/queries", "*.kql") :
    trimsuffix(file, ".kql") => trimspace(file("${path.module}/queries/${file}"))
  }
  titles = { for name, query in local.queries : name => trimprefix(split("\n", query)[0], "// ") }

  # In the order of the page. What a chart cannot say is a table.
  charts = [
    { query = "requests", visualization = "timechart" },
    { query = "latency", visualization = "timechart" },
    { query = "rate_limits", visualization = "timechart" },
    { query = "refusals", visualization = "table" },
    { query = "upstream_failures", visualization = "table" },
    { query = "clients", visualization = "table" },
    { query = "objective", visualization = "table" },
    { query = "replica_starts", visualization = "table" },
  ]
  metrics = {
    Replicas     = "Replicas"
    RestartCount = "Restarts"
  }
}

resource "azurerm_log_analytics_saved_search" "gateway" {
  for_each = local.queries

  name                       = each.key
  display_name               = local.titles[each.key]
  category                   = var.names.container_app
  log_analytics_workspace_id = azurerm_log_analytics_workspace.gateway.id
  query                      = each.value
  tags                       = local.tags
}

# The format is the portal's own (github.com/microsoft/Application-Insights-Workbooks).
resource "azurerm_application_insights_workbook" "gateway" {
  name                = uuidv5("dns", var.names.workbook)
  display_name        = var.names.workbook
  resource_group_name = azurerm_resource_group.gateway.name
  location            = azurerm_resource_group.gateway.location
  source_id           = lower(azurerm_log_analytics_workspace.gateway.id)
  tags                = local.tags

  data_json = jsonencode({
    version             = "Notebook/1.0"
    "$schema"           = "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json"
    fallbackResourceIds = [azurerm_log_analytics_workspace.gateway.id]
    items = concat(
      [
        {
          type = 9
          name = "time"
          content = {
            version = "KqlParameterItem/1.0"
            style   = "pills"
            parameters = [{
              id         = uuidv5("dns", "time.${var.names.workbook}")
              version    = "KqlParameterItem/1.0"
              name       = "TimeRange"
              label      = "Time"
              type       = 4
              isRequired = true
              value      = { durationMs = 86400000 }
              typeSettings = {
                selectableValues = [for hours in [1, 4, 24, 72, 168, 720] : { durationMs = hours * 3600000 }]
                allowCustom      = true
              }
            }]
          }
        },
      ],
      [
        for chart in local.charts : {
          type = 3
          name = chart.query
          content = {
            version                  = "KqlItem/1.0"
            query                    = local.queries[chart.query]
            title                    = local.titles[chart.query]
            size                     = 0
            queryType                = 0
            resourceType             = "microsoft.operationalinsights/workspaces"
            timeContextFromParameter = "TimeRange"
            visualization            = chart.visualization
          }
        }
      ],
      [
        for metric, title in local.metrics : {
          type = 10
          name = metric
          content = {
            version                  = "MetricsItem/2.0"
            chartId                  = uuidv5("dns", "${metric}.${var.names.workbook}")
            title                    = title
            size                     = 0
            chartType                = 2
            resourceType             = "microsoft.app/containerapps"
            metricScope              = 0
            resourceIds              = [azurerm_container_app.gateway.id]
            timeContextFromParameter = "TimeRange"
            metrics = [{
              namespace   = "microsoft.app/containerapps"
              metric      = "microsoft.app/containerapps--${metric}"
              aggregation = 3 # the greatest
            }]
          }
        }
      ],
    )
  })
}
