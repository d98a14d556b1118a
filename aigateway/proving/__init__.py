"""Proving that each scenario can fail: breaking the gateway in many ways, and seeing who notices."""
