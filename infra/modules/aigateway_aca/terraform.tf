terraform {
  # 1.11 has write-only arguments, by which no secret gets into state or plan.
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}
