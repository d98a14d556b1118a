output "base_url" {
  description = "Where clients find the gateway; they add /v1."
  value       = "https://${var.front_door.enabled ? azurerm_cdn_frontdoor_endpoint.gateway[0].host_name : azurerm_container_app.gateway.ingress[0].fqdn}"
}

output "resource_group" {
  description = "Name of the resource group."
  value       = azurerm_resource_group.gateway.name
}

output "container_app" {
  description = "Name of the Container App."
  value       = azurerm_container_app.gateway.name
}

output "container_app_environment_id" {
  description = "The environment, on which Front Door's private link is approved."
  value       = azurerm_container_app_environment.gateway.id
}

output "key_vault" {
  description = "Name of the Key Vault."
  value       = azurerm_key_vault.gateway.name
}

output "log_analytics_workspace_id" {
  description = "The workspace that the logs go to."
  value       = azurerm_log_analytics_workspace.gateway.id
}

output "images" {
  description = "Both parts' images, as they run."
  value       = local.images
}
