# The root of one environment, the same text for each: what differs is in gateway.yaml, from which `aigateway render`
# makes the three files beside this one. Terraform reads terraform.tfvars.json by itself.

terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }

  # The storage account is the environment's own (storage_account among the rendered names), and is given to
  # `terraform init -backend-config="storage_account_name=…"`; ids only by ARM_*, since what is given there gets into plans.
  backend "azurerm" {
    container_name   = "tfstate"
    key              = "gateway.tfstate"
    use_azuread_auth = true
    use_oidc         = true
  }
}

# The subscription and who deploys are in ARM_* variables; a person is logged in with `az login`. The resource providers
# are registered once for a subscription, by who may (docs/bootstrap.md).
provider "azurerm" {
  resource_provider_registrations = "none"
  use_oidc                        = true

  features {
    key_vault {
      # What is deleted can be had back for 90 days, and a name that is used again means the same secret.
      purge_soft_delete_on_destroy          = false
      purge_soft_deleted_secrets_on_destroy = false
      recover_soft_deleted_key_vaults       = true
      recover_soft_deleted_secrets          = true
    }
    log_analytics_workspace {
      permanently_delete_on_destroy = false
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

module "gateway" {
  source = "../../modules/aigateway_aca"

  litellm_config = file("${path.module}/litellm.yaml")
  envoy_config   = file("${path.module}/envoy.yaml")

  environment       = var.environment
  project           = var.project
  location          = var.location
  names             = var.names
  images            = var.images
  image_digests     = var.image_digests
  client_keys       = var.client_keys
  secret_versions   = var.secret_versions
  secrets           = var.secrets
  scale             = var.scale
  sizes             = var.sizes
  allowed_ip_ranges = var.allowed_ip_ranges
  front_door        = var.front_door
  network           = var.network
  observability     = var.observability
}
