# Each validation of the module's variables, by the input that it refuses. They are tried apart from the resources, since
# a start of azurerm takes longer than all of them: tests/inputs is variables.tf and parts.tf again.

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

run "environment" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    environment = "test"
  }

  expect_failures = [var.environment]
}

run "project" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    project = "Gateway"
  }

  expect_failures = [var.project]
}

run "project_too_long" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    project = "a-gateway-that-has-a-name-of-31-"
  }

  expect_failures = [var.project]
}

run "location" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    location = "South Africa North"
  }

  expect_failures = [var.location]
}

run "name_of_resource_group" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { resource_group = "gateway." })
  }

  expect_failures = [var.names]
}

run "name_of_log_analytics_workspace" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { log_analytics_workspace = "law" })
  }

  expect_failures = [var.names]
}

run "name_of_container_app_environment" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { container_app_environment = "-cae" })
  }

  expect_failures = [var.names]
}

run "name_of_container_app" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { container_app = "Gateway" })
  }

  expect_failures = [var.names]
}

run "name_of_key_vault" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { key_vault = "pvc-staging-aigateway-kv-san" })
  }

  expect_failures = [var.names]
}

run "name_of_application_insights" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { application_insights = "ai_1" })
  }

  expect_failures = [var.names]
}

run "name_of_managed_identity" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { managed_identity = "id" })
  }

  expect_failures = [var.names]
}

run "name_of_action_group" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { action_group = "ag_1" })
  }

  expect_failures = [var.names]
}

run "name_of_action_group_short_name" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { action_group_short_name = "aigateway-prod" })
  }

  expect_failures = [var.names]
}

run "name_of_workbook" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { workbook = "wb_1" })
  }

  expect_failures = [var.names]
}

run "name_of_front_door_profile" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { front_door_profile = "a" })
  }

  expect_failures = [var.names]
}

run "name_of_front_door_endpoint" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { front_door_endpoint = "fde-" })
  }

  expect_failures = [var.names]
}

run "name_of_waf_policy" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { waf_policy = "pvc-waf" })
  }

  expect_failures = [var.names]
}

run "name_of_virtual_network" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { virtual_network = "v" })
  }

  expect_failures = [var.names]
}

run "name_of_network_security_group" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { network_security_group = "nsg-" })
  }

  expect_failures = [var.names]
}

run "name_of_private_endpoint" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { private_endpoint = "-pe" })
  }

  expect_failures = [var.names]
}

run "name_of_key_vault_with_two_hyphens" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    names = merge(var.names, { key_vault = "pvc--kv" })
  }

  expect_failures = [var.names]
}

run "image_without_a_tag" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    images = merge(var.images, { envoy = "envoyproxy/envoy" })
  }

  expect_failures = [var.images]
}

run "image_with_a_digest_that_is_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    images = merge(var.images, { envoy = "envoyproxy/envoy:v1.40.0@sha256:12" })
  }

  expect_failures = [var.images]
}

run "digest_that_is_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    image_digests = { envoy = "v1.40.0" }
  }

  expect_failures = [var.image_digests]
}

run "digest_that_is_another" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    images        = merge(var.images, { envoy = "envoyproxy/envoy:v1.40.0@sha256:${sha256("a")}" })
    image_digests = { envoy = "sha256:${sha256("b")}" }
  }

  expect_failures = [var.image_digests]
}

run "staging_without_digests" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    environment = "staging"
  }

  expect_failures = [var.image_digests]
}

run "prod_with_one_digest" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    environment   = "prod"
    image_digests = { envoy = "sha256:${sha256("a")}" }
  }

  expect_failures = [var.image_digests]
}

run "no_client" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    client_keys = {}
  }

  expect_failures = [var.client_keys]
}

run "client_key_of_another_name" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    # checkov:skip=CKV_SECRET_6:the name of another client's secret
    client_keys = merge(var.client_keys, { CLIENT_KEY_ROO_A = "client-qoder-b" })
  }

  expect_failures = [var.client_keys]
}

run "secret_version_missing" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secret_versions = { azure-openai-key = 1 }
  }

  expect_failures = [var.secret_versions]
}

run "secret_version_of_half" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secret_versions = merge(var.secret_versions, { azure-openai-key = 1.5 })
  }

  expect_failures = [var.secret_versions]
}

run "secret_that_is_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secrets = { client-nobody-a = sha256("a") }
  }

  expect_failures = [var.secrets]
}

run "key_that_is_too_short" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secrets = { client-roo-a = "sk-short" }
  }

  expect_failures = [var.secrets]
}

run "key_with_a_line_break" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secrets = { client-roo-a = "${sha256("a")}\n" }
  }

  expect_failures = [var.secrets]
}

run "endpoint_with_a_path" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secrets = { azure-openai-endpoint = "https://contoso.openai.azure.com/openai" }
  }

  expect_failures = [var.secrets]
}

run "endpoint_unencrypted" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secrets = { azure-openai-endpoint = "http://contoso.openai.azure.com" }
  }

  expect_failures = [var.secrets]
}

run "two_clients_with_one_key" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    secrets = { client-roo-a = sha256("a"), client-qoder-a = sha256("a") }
  }

  expect_failures = [var.secrets]
}

run "more_replicas_at_least_than_at_most" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    scale = merge(var.scale, { min_replicas = 2, max_replicas = 1 })
  }

  expect_failures = [var.scale]
}

run "no_replica_at_most" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    scale = merge(var.scale, { max_replicas = 0 })
  }

  expect_failures = [var.scale]
}

run "no_concurrent_requests" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    scale = merge(var.scale, { concurrent_requests = 0 })
  }

  expect_failures = [var.scale]
}

run "no_cooldown" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    scale = merge(var.scale, { cooldown_seconds = 0 })
  }

  expect_failures = [var.scale]
}

run "grace_too_long" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    scale = merge(var.scale, { termination_grace_seconds = 601 })
  }

  expect_failures = [var.scale]
}

run "processor_out_of_step" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    sizes = { litellm = { cpu = 0.6, memory_gib = 1.2 }, envoy = { cpu = 0.25, memory_gib = 0.5 } }
  }

  expect_failures = [var.sizes]
}

run "processor_too_large" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    sizes = { litellm = { cpu = 4, memory_gib = 8 }, envoy = { cpu = 0.25, memory_gib = 0.5 } }
  }

  expect_failures = [var.sizes]
}

run "memory_that_is_no_pair" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    sizes = { litellm = { cpu = 0.75, memory_gib = 2 }, envoy = { cpu = 0.25, memory_gib = 0.5 } }
  }

  expect_failures = [var.sizes]
}

run "range_that_is_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    allowed_ip_ranges = ["203.0.113.300/24"]
  }

  expect_failures = [var.allowed_ip_ranges]
}

run "range_with_bits_after_its_length" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    allowed_ip_ranges = ["203.0.113.7/24"]
  }

  expect_failures = [var.allowed_ip_ranges]
}

run "range_of_ipv6" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    allowed_ip_ranges = ["2001:db8::/32"]
  }

  expect_failures = [var.allowed_ip_ranges]
}

run "range_of_every_address" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    allowed_ip_ranges = ["0.0.0.0/0"]
  }

  expect_failures = [var.allowed_ip_ranges]
}

run "too_few_requests_per_address" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    front_door = merge(var.front_door, { requests_per_minute = 5 })
  }

  expect_failures = [var.front_door]
}

run "network_range_that_is_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    network = merge(var.network, { address_range = "10.42.0.0" })
  }

  expect_failures = [var.network]
}

run "network_too_small" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    network = merge(var.network, { address_range = "10.42.0.0/27" })
  }

  expect_failures = [var.network]
}

run "private_vault_without_network" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    network = merge(var.network, { private_vault = true })
  }

  expect_failures = [var.network]
}

run "vault_range_that_is_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    network = merge(var.network, { vault_ip_ranges = ["203.0.113.7"] })
  }

  expect_failures = [var.network]
}

run "logs_kept_too_short" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    observability = merge(var.observability, { log_retention_days = 7 })
  }

  expect_failures = [var.observability]
}

run "daily_cap_of_nothing" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    observability = merge(var.observability, { daily_cap_gb = 0 })
  }

  expect_failures = [var.observability]
}

run "address_that_is_none" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    observability = merge(var.observability, { alert_emails = ["team"] })
  }

  expect_failures = [var.observability]
}

run "latency_of_nothing" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    observability = merge(var.observability, { latency_seconds = { responses = 0, embeddings = 10 } })
  }

  expect_failures = [var.observability]
}

run "budget_of_nothing" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    observability = merge(var.observability, { monthly_budget = 0 })
  }

  expect_failures = [var.observability]
}

run "wait_too_long" {
  command = plan

  module {
    source = "./tests/inputs"
  }

  variables {
    role_wait_seconds = 901
  }

  expect_failures = [var.role_wait_seconds]
}

