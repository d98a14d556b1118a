# Each environment, as it is rendered: names, configs byte by byte, replicas, images.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

run "dev" {
  command = plan

  variables {
    environment       = jsondecode(file("../../env/dev/terraform.tfvars.json")).environment
    project           = jsondecode(file("../../env/dev/terraform.tfvars.json")).project
    location          = jsondecode(file("../../env/dev/terraform.tfvars.json")).location
    names             = jsondecode(file("../../env/dev/terraform.tfvars.json")).names
    images            = jsondecode(file("../../env/dev/terraform.tfvars.json")).images
    client_keys       = jsondecode(file("../../env/dev/terraform.tfvars.json")).client_keys
    secret_versions   = jsondecode(file("../../env/dev/terraform.tfvars.json")).secret_versions
    scale             = jsondecode(file("../../env/dev/terraform.tfvars.json")).scale
    sizes             = jsondecode(file("../../env/dev/terraform.tfvars.json")).sizes
    allowed_ip_ranges = jsondecode(file("../../env/dev/terraform.tfvars.json")).allowed_ip_ranges
    front_door        = jsondecode(file("../../env/dev/terraform.tfvars.json")).front_door
    network           = jsondecode(file("../../env/dev/terraform.tfvars.json")).network
    observability     = jsondecode(file("../../env/dev/terraform.tfvars.json")).observability
    litellm_config    = file("../../env/dev/litellm.yaml")
    envoy_config      = file("../../env/dev/envoy.yaml")
  }

  assert {
    condition = [
      azurerm_resource_group.gateway.name,
      azurerm_log_analytics_workspace.gateway.name,
      azurerm_container_app_environment.gateway.name,
      azurerm_container_app.gateway.name,
      azurerm_key_vault.gateway.name,
      azurerm_user_assigned_identity.gateway.name,
      azurerm_monitor_action_group.gateway.name,
      azurerm_application_insights_workbook.gateway.display_name,
      ] == [
      "pvc-dev-aigateway-rg-san",
      "pvc-dev-aigateway-law-san",
      "pvc-dev-aigateway-cae-san",
      "pvc-dev-aigateway-ca-san",
      "pvc-dev-aigateway-kv-san",
      "pvc-dev-aigateway-id-san",
      "pvc-dev-aigateway-ag-san",
      "pvc-dev-aigateway-wb-san",
    ]
    error_message = "The names are not the convention's."
  }
  assert {
    condition     = [for env in azurerm_container_app.gateway.template[0].container[0].env : env.value if env.name == "ENVOY_CONFIG"] == [file("../../env/dev/envoy.yaml")]
    error_message = "Envoy gets another config than was rendered and proven."
  }
  assert {
    condition     = [for env in azurerm_container_app.gateway.template[0].container[1].env : env.value if env.name == "LITELLM_CONFIG"] == [file("../../env/dev/litellm.yaml")]
    error_message = "LiteLLM gets another config than was rendered and proven."
  }
  assert {
    condition     = azurerm_container_app.gateway.template[0].min_replicas == 0
    error_message = "Replicas that always run: one in prod, none elsewhere."
  }
  assert {
    condition     = azurerm_container_app.gateway.template[0].container[*].image == tolist([for part in ["envoy", "litellm"] : jsondecode(file("../../env/dev/terraform.tfvars.json")).images[part]])
    error_message = "Images run by tag in dev, by digest elsewhere."
  }
}

run "staging" {
  command = plan

  variables {
    environment       = jsondecode(file("../../env/staging/terraform.tfvars.json")).environment
    project           = jsondecode(file("../../env/staging/terraform.tfvars.json")).project
    location          = jsondecode(file("../../env/staging/terraform.tfvars.json")).location
    names             = jsondecode(file("../../env/staging/terraform.tfvars.json")).names
    images            = jsondecode(file("../../env/staging/terraform.tfvars.json")).images
    client_keys       = jsondecode(file("../../env/staging/terraform.tfvars.json")).client_keys
    secret_versions   = jsondecode(file("../../env/staging/terraform.tfvars.json")).secret_versions
    scale             = jsondecode(file("../../env/staging/terraform.tfvars.json")).scale
    sizes             = jsondecode(file("../../env/staging/terraform.tfvars.json")).sizes
    allowed_ip_ranges = jsondecode(file("../../env/staging/terraform.tfvars.json")).allowed_ip_ranges
    front_door        = jsondecode(file("../../env/staging/terraform.tfvars.json")).front_door
    network           = jsondecode(file("../../env/staging/terraform.tfvars.json")).network
    observability     = jsondecode(file("../../env/staging/terraform.tfvars.json")).observability
    litellm_config    = file("../../env/staging/litellm.yaml")
    envoy_config      = file("../../env/staging/envoy.yaml")
    image_digests     = { litellm = "sha256:${sha256("litellm")}", envoy = "sha256:${sha256("envoy")}" }
  }

  assert {
    condition = [
      azurerm_resource_group.gateway.name,
      azurerm_log_analytics_workspace.gateway.name,
      azurerm_container_app_environment.gateway.name,
      azurerm_container_app.gateway.name,
      azurerm_key_vault.gateway.name,
      azurerm_user_assigned_identity.gateway.name,
      azurerm_monitor_action_group.gateway.name,
      azurerm_application_insights_workbook.gateway.display_name,
      ] == [
      "pvc-staging-aigateway-rg-san",
      "pvc-staging-aigateway-law-san",
      "pvc-staging-aigateway-cae-san",
      "pvc-staging-aigateway-ca-san",
      "pvc-stg-aigateway-kv-san",
      "pvc-staging-aigateway-id-san",
      "pvc-staging-aigateway-ag-san",
      "pvc-staging-aigateway-wb-san",
    ]
    error_message = "The names are not the convention's."
  }
  assert {
    condition     = [for env in azurerm_container_app.gateway.template[0].container[0].env : env.value if env.name == "ENVOY_CONFIG"] == [file("../../env/staging/envoy.yaml")]
    error_message = "Envoy gets another config than was rendered and proven."
  }
  assert {
    condition     = [for env in azurerm_container_app.gateway.template[0].container[1].env : env.value if env.name == "LITELLM_CONFIG"] == [file("../../env/staging/litellm.yaml")]
    error_message = "LiteLLM gets another config than was rendered and proven."
  }
  assert {
    condition     = azurerm_container_app.gateway.template[0].min_replicas == 0
    error_message = "Replicas that always run: one in prod, none elsewhere."
  }
  assert {
    condition     = azurerm_container_app.gateway.template[0].container[*].image == tolist(["envoyproxy/envoy@sha256:${sha256("envoy")}", "ghcr.io/berriai/litellm@sha256:${sha256("litellm")}"])
    error_message = "Images run by tag in dev, by digest elsewhere."
  }
}

run "prod" {
  command = plan

  variables {
    environment       = jsondecode(file("../../env/prod/terraform.tfvars.json")).environment
    project           = jsondecode(file("../../env/prod/terraform.tfvars.json")).project
    location          = jsondecode(file("../../env/prod/terraform.tfvars.json")).location
    names             = jsondecode(file("../../env/prod/terraform.tfvars.json")).names
    images            = jsondecode(file("../../env/prod/terraform.tfvars.json")).images
    client_keys       = jsondecode(file("../../env/prod/terraform.tfvars.json")).client_keys
    secret_versions   = jsondecode(file("../../env/prod/terraform.tfvars.json")).secret_versions
    scale             = jsondecode(file("../../env/prod/terraform.tfvars.json")).scale
    sizes             = jsondecode(file("../../env/prod/terraform.tfvars.json")).sizes
    allowed_ip_ranges = jsondecode(file("../../env/prod/terraform.tfvars.json")).allowed_ip_ranges
    front_door        = jsondecode(file("../../env/prod/terraform.tfvars.json")).front_door
    network           = jsondecode(file("../../env/prod/terraform.tfvars.json")).network
    observability     = jsondecode(file("../../env/prod/terraform.tfvars.json")).observability
    litellm_config    = file("../../env/prod/litellm.yaml")
    envoy_config      = file("../../env/prod/envoy.yaml")
    image_digests     = { litellm = "sha256:${sha256("litellm")}", envoy = "sha256:${sha256("envoy")}" }
  }

  assert {
    condition = [
      azurerm_resource_group.gateway.name,
      azurerm_log_analytics_workspace.gateway.name,
      azurerm_container_app_environment.gateway.name,
      azurerm_container_app.gateway.name,
      azurerm_key_vault.gateway.name,
      azurerm_user_assigned_identity.gateway.name,
      azurerm_monitor_action_group.gateway.name,
      azurerm_application_insights_workbook.gateway.display_name,
      ] == [
      "pvc-prod-aigateway-rg-san",
      "pvc-prod-aigateway-law-san",
      "pvc-prod-aigateway-cae-san",
      "pvc-prod-aigateway-ca-san",
      "pvc-prd-aigateway-kv-san",
      "pvc-prod-aigateway-id-san",
      "pvc-prod-aigateway-ag-san",
      "pvc-prod-aigateway-wb-san",
    ]
    error_message = "The names are not the convention's."
  }
  assert {
    condition     = [for env in azurerm_container_app.gateway.template[0].container[0].env : env.value if env.name == "ENVOY_CONFIG"] == [file("../../env/prod/envoy.yaml")]
    error_message = "Envoy gets another config than was rendered and proven."
  }
  assert {
    condition     = [for env in azurerm_container_app.gateway.template[0].container[1].env : env.value if env.name == "LITELLM_CONFIG"] == [file("../../env/prod/litellm.yaml")]
    error_message = "LiteLLM gets another config than was rendered and proven."
  }
  assert {
    condition     = azurerm_container_app.gateway.template[0].min_replicas == 1
    error_message = "Replicas that always run: one in prod, none elsewhere."
  }
  assert {
    condition     = azurerm_container_app.gateway.template[0].container[*].image == tolist(["envoyproxy/envoy@sha256:${sha256("envoy")}", "ghcr.io/berriai/litellm@sha256:${sha256("litellm")}"])
    error_message = "Images run by tag in dev, by digest elsewhere."
  }
}
