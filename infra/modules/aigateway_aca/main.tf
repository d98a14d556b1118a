# One environment of the gateway: Envoy and LiteLLM in one Container App, and what they need.

resource "azurerm_resource_group" "gateway" {
  name     = var.names.resource_group
  location = var.location
  tags     = local.tags
}

locals {
  tags = {
    environment = var.environment
    project     = var.project
    managed-by  = "terraform"
  }
}
