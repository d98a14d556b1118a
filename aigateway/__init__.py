"""PVC AI Gateway: renders, runs and proves a config-only LiteLLM and Envoy gateway to Azure OpenAI."""
