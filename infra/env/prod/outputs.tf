output "base_url" {
  description = "Where clients find the gateway; they add /v1."
  value       = module.gateway.base_url
}

output "resource_group" {
  description = "Name of the resource group."
  value       = module.gateway.resource_group
}

output "container_app" {
  description = "Name of the Container App."
  value       = module.gateway.container_app
}

output "container_app_environment_id" {
  description = "The environment, on which Front Door's private link is approved."
  value       = module.gateway.container_app_environment_id
}

output "key_vault" {
  description = "Name of the Key Vault."
  value       = module.gateway.key_vault
}

output "log_analytics_workspace_id" {
  description = "The workspace that the logs go to."
  value       = module.gateway.log_analytics_workspace_id
}

output "images" {
  description = "Both parts' images, as they run."
  value       = module.gateway.images
}
