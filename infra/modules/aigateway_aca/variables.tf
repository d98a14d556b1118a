# Rendered from gateway.yaml, which has checked it already; what is checked again here is what Azure would refuse late,
# or take and not do. Each message says what to write instead.

variable "environment" {
  description = "Name of the environment."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is '${var.environment}'; must be dev, staging or prod."
  }
}

variable "project" {
  description = "Name of the project, as in every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.project)) && length(var.project) <= 30
    error_message = "project is '${var.project}'; must be lower-case letters, digits and single hyphens, beginning with a letter, at most 30 characters."
  }
}

variable "location" {
  description = "Azure location of every resource."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]*$", var.location))
    error_message = "location is '${var.location}'; must be the name of an Azure location in one word, such as southafricanorth."
  }
}

# Rules: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
variable "names" {
  description = "Name of each resource."
  type = object({
    resource_group            = string
    log_analytics_workspace   = string
    container_app_environment = string
    container_app             = string
    key_vault                 = string
    application_insights      = string
    managed_identity          = string
    action_group              = string
    action_group_short_name   = string
    workbook                  = string
    front_door_profile        = string
    front_door_endpoint       = string
    waf_policy                = string
    virtual_network           = string
    network_security_group    = string
    private_endpoint          = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$", var.names.resource_group))
    error_message = "names.resource_group is '${var.names.resource_group}'; must be at most 90 letters, digits, '_', '-', '.' and parentheses, without a '.' at the end: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$", var.names.log_analytics_workspace))
    error_message = "names.log_analytics_workspace is '${var.names.log_analytics_workspace}'; must be 4 to 63 letters, digits and hyphens, with none at the ends: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]$", var.names.container_app_environment))
    error_message = "names.container_app_environment is '${var.names.container_app_environment}'; must be 2 to 60 letters, digits and hyphens, with none at the ends: make project shorter."
  }
  validation {
    condition     = can(regex("^[a-z](-?[a-z0-9])+$", var.names.container_app)) && length(var.names.container_app) <= 32
    error_message = "names.container_app is '${var.names.container_app}'; must be 2 to 32 lower-case letters, digits and single hyphens, beginning with a letter: make project shorter, or set names.container_app in gateway.yaml."
  }
  validation {
    condition     = can(regex("^[A-Za-z](-?[A-Za-z0-9]){2,}$", var.names.key_vault)) && length(var.names.key_vault) <= 24
    error_message = "names.key_vault is '${var.names.key_vault}', of ${length(var.names.key_vault)} characters; must be 3 to 24 letters, digits and single hyphens, beginning with a letter: make project shorter, or set names.key_vault in gateway.yaml."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9-]{0,254}[A-Za-z0-9]$", var.names.application_insights))
    error_message = "names.application_insights is '${var.names.application_insights}'; must be at most 255 letters, digits and hyphens: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$", var.names.managed_identity))
    error_message = "names.managed_identity is '${var.names.managed_identity}'; must be 3 to 128 letters, digits, '_' and '-': make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9-]{0,259}[A-Za-z0-9]$", var.names.action_group))
    error_message = "names.action_group is '${var.names.action_group}'; must be at most 260 letters, digits and hyphens: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,12}$", var.names.action_group_short_name))
    error_message = "names.action_group_short_name is '${var.names.action_group_short_name}'; must be 1 to 12 letters, digits and hyphens."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9-]{0,259}[A-Za-z0-9]$", var.names.workbook))
    error_message = "names.workbook is '${var.names.workbook}'; must be at most 260 letters, digits and hyphens: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,88}[A-Za-z0-9]$", var.names.front_door_profile))
    error_message = "names.front_door_profile is '${var.names.front_door_profile}'; must be 2 to 90 letters, digits and hyphens, with none at the ends: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,44}[A-Za-z0-9]$", var.names.front_door_endpoint))
    error_message = "names.front_door_endpoint is '${var.names.front_door_endpoint}'; must be 2 to 46 letters, digits and hyphens, with none at the ends: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9]{0,127}$", var.names.waf_policy))
    error_message = "names.waf_policy is '${var.names.waf_policy}'; must be at most 128 letters and digits, beginning with a letter: make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}[A-Za-z0-9_]$", var.names.virtual_network))
    error_message = "names.virtual_network is '${var.names.virtual_network}'; must be 2 to 64 letters, digits, '_', '-' and '.': make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,78}[A-Za-z0-9_]$", var.names.network_security_group))
    error_message = "names.network_security_group is '${var.names.network_security_group}'; must be 2 to 80 letters, digits, '_', '-' and '.': make project shorter."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}[A-Za-z0-9_]$", var.names.private_endpoint))
    error_message = "names.private_endpoint is '${var.names.private_endpoint}'; must be 2 to 64 letters, digits, '_', '-' and '.': make project shorter."
  }
}

variable "images" {
  description = "Both parts' images, as repository:tag or repository:tag@digest."
  type = object({
    litellm = string
    envoy   = string
  })
  nullable = false

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("^[a-z0-9./:_-]+:[A-Za-z0-9_][A-Za-z0-9_.-]*(@sha256:[0-9a-f]{64})?$", image))])
    error_message = "images are ${join(" and ", values(var.images))}; must be repository:tag, or repository:tag@sha256: and 64 hexadecimal digits."
  }
}

variable "image_digests" {
  description = "What the tags of `images` stood for when dev was proven; whoever deploys gives them."
  type = object({
    litellm = optional(string)
    envoy   = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for digest in values(var.image_digests) : digest == null || can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "image_digests has '${join("' and '", [for digest in values(var.image_digests) : digest if digest != null])}'; must be sha256: and 64 hexadecimal digits each, as `docker buildx imagetools inspect IMAGE` shows."
  }
  validation {
    condition     = alltrue([for part, image in var.images : try(endswith(image, "@${var.image_digests[part]}"), true) || !strcontains(image, "@")])
    error_message = "image_digests has another digest than images, which are ${join(" and ", values(var.images))}; leave one of them out."
  }
  validation {
    condition     = var.environment == "dev" || alltrue([for part, image in var.images : strcontains(image, "@sha256:") || var.image_digests[part] != null])
    error_message = "${var.environment} runs images by digest only: give image_digests, {litellm = \"sha256:…\", envoy = \"sha256:…\"} as dev runs them, or set images.litellm.digest and images.envoy.digest in gateway.yaml."
  }
}

# What they may hold is checked where they are used (app.tf): here a refusal would show the whole text.
variable "litellm_config" {
  description = "The rendered litellm.yaml."
  type        = string
  nullable    = false
}

variable "envoy_config" {
  description = "The rendered envoy.yaml."
  type        = string
  nullable    = false
}

variable "client_keys" {
  description = "Each valid client key: the environment variable that Envoy reads, and the Key Vault secret that holds it."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.client_keys) > 0
    error_message = "client_keys is empty, and so nobody could use the gateway; declare a client in gateway.yaml."
  }
  validation {
    condition     = alltrue([for variable, secret in var.client_keys : variable == "CLIENT_KEY_${upper(replace(trimprefix(secret, "client-"), "-", "_"))}" && can(regex("^client-[a-z][a-z0-9-]*-[ab]$", secret))])
    error_message = "client_keys must be like CLIENT_KEY_ROO_A = \"client-roo-a\": the client's name and its slot, a or b. Run: aigateway render."
  }
}

variable "secret_versions" {
  description = "How often each secret that is no client's has been replaced."
  type        = map(number)
  nullable    = false

  validation {
    condition     = toset(keys(var.secret_versions)) == toset(["azure-openai-endpoint", "azure-openai-key", "litellm-master-key", "litellm-salt-key"])
    error_message = "secret_versions has ${join(", ", keys(var.secret_versions))}; must have azure-openai-endpoint, azure-openai-key, litellm-master-key and litellm-salt-key."
  }
  validation {
    condition     = alltrue([for version in values(var.secret_versions) : version >= 1 && floor(version) == version])
    error_message = "secret_versions are ${join(", ", values(var.secret_versions))}; must be whole numbers from 1 on."
  }
}

# Ephemeral: its values get into no state and no plan. To write a secret, they are given to `apply` (again).
variable "secrets" {
  description = "Values of the secrets that are written: those of new secrets, and of those whose version was raised."
  type        = map(string)
  default     = {}
  nullable    = false
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = length(setsubtract(keys(var.secrets), keys(local.secrets))) == 0
    error_message = "secrets has a name that is none; may have ${join(", ", keys(local.secrets))}."
  }
  # The start scripts refuse the same, minutes later.
  validation {
    condition     = alltrue([for name, value in var.secrets : name == "azure-openai-endpoint" || can(regex("^[A-Za-z0-9_-]{32,}$", value))])
    error_message = "secrets has a key that is none; each must be at least 32 letters, digits, '-' and '_', as python3 -c 'import secrets; print(\"sk-\" + secrets.token_urlsafe(32))' makes them."
  }
  validation {
    condition     = can(regex("^https://[a-z0-9][a-z0-9.-]+[a-z0-9]/?$", lookup(var.secrets, "azure-openai-endpoint", "https://none.example")))
    error_message = "secrets has an azure-openai-endpoint that is none; must be like https://NAME.openai.azure.com, without a path: LiteLLM adds it."
  }
  validation {
    condition     = length(distinct(values(var.secrets))) == length(var.secrets)
    error_message = "secrets has one value twice; each secret needs a value of its own, so that one can be told, and taken, from the other."
  }
}

variable "scale" {
  description = "How many replicas run."
  type = object({
    min_replicas              = number
    max_replicas              = number
    concurrent_requests       = number
    cooldown_seconds          = number
    termination_grace_seconds = number
  })
  nullable = false

  validation {
    condition     = 0 <= var.scale.min_replicas && var.scale.min_replicas <= var.scale.max_replicas && 1 <= var.scale.max_replicas && var.scale.max_replicas <= 300
    error_message = "scale has ${var.scale.min_replicas} to ${var.scale.max_replicas} replicas; must be from 0 on to at least 1 and at most 300, the least not above the most."
  }
  validation {
    condition     = 1 <= var.scale.concurrent_requests
    error_message = "scale.concurrent_requests is ${var.scale.concurrent_requests}; must be at least 1."
  }
  validation {
    condition     = 1 <= var.scale.cooldown_seconds && var.scale.cooldown_seconds <= 3600
    error_message = "scale.cooldown_seconds is ${var.scale.cooldown_seconds}; must be 1 to 3600."
  }
  validation {
    condition     = 0 <= var.scale.termination_grace_seconds && var.scale.termination_grace_seconds <= 600
    error_message = "scale.termination_grace_seconds is ${var.scale.termination_grace_seconds}; must be 0 to 600, more than which Container Apps does not give."
  }
}

# azurerm checks neither number; Azure refuses what is no pair of the Consumption profile
# (learn.microsoft.com/azure/container-apps/containers#allocations).
variable "sizes" {
  description = "What each container of a replica gets."
  type = object({
    litellm = object({ cpu = number, memory_gib = number })
    envoy   = object({ cpu = number, memory_gib = number })
  })
  nullable = false

  validation {
    condition     = alltrue([for size in values(var.sizes) : size.cpu > 0 && size.memory_gib > 0 && size.cpu * 4 == floor(size.cpu * 4)])
    error_message = "sizes has ${join(" and ", [for size in values(var.sizes) : "${size.cpu} vCPU with ${size.memory_gib} GiB"])}; vCPU must be in steps of 0.25, and both above 0."
  }
  validation {
    condition     = sum(values(var.sizes)[*].cpu) <= 4
    error_message = "sizes give a replica ${sum(values(var.sizes)[*].cpu)} vCPU in all; must be at most 4."
  }
  validation {
    condition     = sum(values(var.sizes)[*].memory_gib) == 2 * sum(values(var.sizes)[*].cpu)
    error_message = "sizes give a replica ${sum(values(var.sizes)[*].memory_gib)} GiB in all; must be ${2 * sum(values(var.sizes)[*].cpu)}: Azure takes only 2 GiB for each vCPU, and there are ${sum(values(var.sizes)[*].cpu)}."
  }
}

variable "allowed_ip_ranges" {
  description = "IPv4 ranges that may connect; none: every address."
  type        = list(string)
  nullable    = false

  validation {
    condition     = alltrue([for range in var.allowed_ip_ranges : can(regex("^[0-9.]+/[0-9]+$", range)) && try(cidrsubnet(range, 0, 0) == range, false)])
    error_message = "allowed_ip_ranges has ${join(", ", [for range in var.allowed_ip_ranges : "'${range}'" if !try(cidrsubnet(range, 0, 0) == range, false) || strcontains(range, ":")])}; must be IPv4 ranges such as 203.0.113.0/24 or 203.0.113.7/32, with no bits after the length."
  }
  validation {
    condition     = !contains(var.allowed_ip_ranges, "0.0.0.0/0")
    error_message = "allowed_ip_ranges has 0.0.0.0/0, which is every address; leave it empty for that."
  }
}

variable "front_door" {
  description = "Front Door with a firewall before the gateway."
  type = object({
    enabled             = bool
    requests_per_minute = number
  })
  nullable = false

  validation {
    condition     = 10 <= var.front_door.requests_per_minute && var.front_door.requests_per_minute <= 1000000
    error_message = "front_door.requests_per_minute is ${var.front_door.requests_per_minute}; must be 10 to 1000000."
  }
}

variable "network" {
  description = "A virtual network for the environment, and whether the vault is reached from it only."
  type = object({
    enabled         = bool
    address_range   = string
    private_vault   = bool
    vault_ip_ranges = list(string)
  })
  nullable = false

  validation {
    condition     = try(cidrsubnet(var.network.address_range, 0, 0) == var.network.address_range, false) && try(tonumber(split("/", var.network.address_range)[1]) >= 16 && tonumber(split("/", var.network.address_range)[1]) <= 26, false)
    error_message = "network.address_range is '${var.network.address_range}'; must be an IPv4 range from /16 to /26, such as 10.42.0.0/24."
  }
  validation {
    condition     = var.network.enabled || !var.network.private_vault
    error_message = "network.private_vault is true, and there is no network to reach the vault from; must be false, or network.enabled true."
  }
  validation {
    condition     = alltrue([for range in var.network.vault_ip_ranges : can(regex("^[0-9.]+/[0-9]+$", range)) && try(cidrsubnet(range, 0, 0) == range, false)])
    error_message = "network.vault_ip_ranges has ${join(", ", var.network.vault_ip_ranges)}; must be IPv4 ranges such as 203.0.113.7/32, with no bits after the length."
  }
}

variable "observability" {
  description = "Logs and alerts."
  type = object({
    log_retention_days   = number
    daily_cap_gb         = number
    application_insights = bool
    alerts               = bool
    alert_emails         = list(string)
    latency_seconds      = object({ responses = number, embeddings = number })
    monthly_budget       = number
  })
  nullable = false

  validation {
    condition     = 30 <= var.observability.log_retention_days && var.observability.log_retention_days <= 730
    error_message = "observability.log_retention_days is ${var.observability.log_retention_days}; must be 30 to 730."
  }
  validation {
    condition     = var.observability.daily_cap_gb == null || try(var.observability.daily_cap_gb > 0, false)
    error_message = "observability.daily_cap_gb must be above 0, or null for no cap: with 0 no log would be taken."
  }
  validation {
    condition     = alltrue([for address in var.observability.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ .]+$", address))])
    error_message = "observability.alert_emails has ${join(", ", var.observability.alert_emails)}; must be e-mail addresses."
  }
  validation {
    condition     = var.observability.latency_seconds.responses > 0 && var.observability.latency_seconds.embeddings > 0
    error_message = "observability.latency_seconds must be above 0 for responses and embeddings."
  }
  validation {
    condition     = var.observability.monthly_budget == null || try(var.observability.monthly_budget > 0, false)
    error_message = "observability.monthly_budget must be above 0, or null for no budget."
  }
}

variable "role_wait_seconds" {
  description = "How long a new right to read the vault takes to hold everywhere; the app is made after that."
  type        = number
  default     = 180
  nullable    = false

  validation {
    condition     = 0 <= var.role_wait_seconds && var.role_wait_seconds <= 900
    error_message = "role_wait_seconds is ${var.role_wait_seconds}; must be 0 to 900."
  }
}
