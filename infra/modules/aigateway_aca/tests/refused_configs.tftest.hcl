# Configs that ask for what is not given, or that the platform would change: refused before anything is made.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

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
  role_wait_seconds = 0
  secrets           = {}
}

run "litellm_asks_for_an_unknown_variable" {
  command = plan
  variables {
    litellm_config = replace(var.litellm_config, "os.environ/AZURE_OPENAI_KEY", "os.environ/AZURE_API_KEY")
  }
  expect_failures = [azurerm_container_app.gateway]
}

run "envoy_asks_for_an_unknown_key" {
  command = plan
  variables {
    envoy_config = replace(var.envoy_config, "$${CLIENT_KEY_ROO_A}", "$${CLIENT_KEY_NOBODY_A}")
  }
  expect_failures = [azurerm_container_app.gateway]
}

run "key_that_envoy_does_not_ask_for" {
  command = plan
  variables {
    # checkov:skip=CKV_SECRET_6:the name of a secret that there is not
    client_keys = merge(var.client_keys, { CLIENT_KEY_NOBODY_A = "client-nobody-a" })
  }
  expect_failures = [azurerm_container_app.gateway]
}

run "config_too_large" {
  command = plan
  variables {
    envoy_config = "${var.envoy_config}${join("", [for n in range(1000) : "# ${sha512("padding")}\n"])}"
  }
  expect_failures = [azurerm_container_app.gateway]
}

run "config_that_the_platform_would_change" {
  command = plan
  variables {
    litellm_config = "${var.litellm_config}\n# $$(AZURE_OPENAI_KEY)\n"
  }
  expect_failures = [azurerm_container_app.gateway]
}
