"""What checkov has no check for: our own policies, tried by `aigateway scan` in checkov's environment.

Each file is one policy, and its `check` is what checkov runs; `aigateway_policy` is what they share.
"""
