# What each part is given: its image, its config, its secrets. Worked out from the variables alone, without Azure.

locals {
  # What each part reads from its environment (start/*.sh), and the secret that holds it. Envoy never sees Azure's key.
  secrets_of = {
    litellm = {
      AZURE_OPENAI_ENDPOINT = "azure-openai-endpoint"
      AZURE_OPENAI_KEY      = "azure-openai-key"
      LITELLM_MASTER_KEY    = "litellm-master-key"
      LITELLM_SALT_KEY      = "litellm-salt-key"
    }
    envoy = merge(var.client_keys, { LITELLM_MASTER_KEY = "litellm-master-key" })
  }

  # Each secret and its version. A client's key is replaced by the one of its other slot, which is another secret.
  secrets = merge({ for secret in values(var.client_keys) : secret => 1 }, var.secret_versions)

  # Where the platform's ingress and its probes knock; the start script tells Envoy.
  edge_port = 10000

  # Of a part's image the digest, where one is known: a tag can be moved.
  images = {
    for part, image in var.images : part => var.image_digests[part] == null && !strcontains(image, "@") ? image : format(
      "%s@%s",
      regex("^(.+):[^:/]+$", split("@", image)[0])[0],
      strcontains(image, "@") ? split("@", image)[1] : var.image_digests[part],
    )
  }

  configs = {
    litellm = var.litellm_config
    envoy   = var.envoy_config
  }

  # Variables of each part that are no secret.
  settings_of = {
    litellm = {
      LITELLM_CONFIG = local.configs.litellm
    }
    envoy = {
      ENVOY_CONFIG              = local.configs.envoy
      EDGE_PORT                 = tostring(local.edge_port)
      TERMINATION_GRACE_SECONDS = tostring(var.scale.termination_grace_seconds)
    }
  }

  # What each config asks of its environment; in LiteLLM's a comment may name something, in Envoy's all is filled in.
  asked_by = {
    litellm = toset(flatten(regexall("(?m)^[^#\n]*os\\.environ/([A-Z0-9_]+)", var.litellm_config)))
    envoy   = toset(flatten(regexall("\\$\\{([A-Z0-9_]+)\\}", var.envoy_config)))
  }
  # The start script has defaults for these.
  addresses = ["EDGE_ADDRESS", "EDGE_PORT", "LITELLM_PORT"]
  unanswered = {
    for part, variables in local.asked_by :
    part => setsubtract(variables, concat(keys(local.secrets_of[part]), local.addresses))
  }

  # Linux takes 128 KiB as one variable, name included; Kubernetes, and so Container Apps, puts something else in the
  # place of $$ and $(NAME) (kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables).
  config_bytes = { for part, config in local.configs : part => length(base64encode(config)) / 4 * 3 }
  expanding    = [for part, config in local.configs : part if can(regex("\\$[$(]", config))]

  # A new value of a secret makes no new revision by itself; another version here does.
  versions_of = {
    for part, secrets in local.secrets_of : part => jsonencode({
      for secret in values(secrets) : secret => local.secrets[secret]
    })
  }
}
