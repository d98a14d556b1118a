# What this environment would be, without Azure: `terraform test` reads terraform.tfvars.json as `terraform plan` does.

mock_provider "azurerm" {}

variables {
  # Of no image; dev takes tags as well.
  image_digests = {
    litellm = "sha256:${sha256("litellm")}"
    envoy   = "sha256:${sha256("envoy")}"
  }
}

run "plan" {
  command = plan

  assert {
    condition     = output.container_app == var.names.container_app && output.resource_group == var.names.resource_group && output.key_vault == var.names.key_vault
    error_message = "The rendered names are those of the resources."
  }
  assert {
    condition     = alltrue([for part, image in output.images : endswith(image, "@${var.image_digests[part]}")])
    error_message = "The digests that are given are what runs."
  }
}
