"""From an environment's settings to the files that run: LiteLLM's and Envoy's configs, Terraform's variables."""
