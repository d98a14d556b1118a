"""Looks for what is unsafe in the infrastructure, in the workflows and in the repository's history."""
