"""Tries another LiteLLM beside the present one, and says what it does otherwise."""
