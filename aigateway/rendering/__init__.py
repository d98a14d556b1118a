"""From one environment's settings to the files that run: the configs of LiteLLM and Envoy, and Terraform's variables."""
