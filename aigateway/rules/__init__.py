"""The rules of `aigateway lint`: what a rendered config must not say, and why.

    shape                               strict models of the files: what is unknown, what has the wrong type
    litellm_config, envoy_config        the parts of LiteLLM's and Envoy's configs that the gateway uses
    served                              the routes that the edge may have, independent of what renders them
    subject                             one environment's files, read; what a rule looks at
    rule                                what a rule is
    deployments, refusals               rules on litellm.yaml
    doors, limits, identity, bodies, retries, privacy   rules on envoy.yaml
    images, secrets, start              rules on what belongs to both
    catalogue, report                   all of them; what they found, and the page about them

LiteLLM takes any config without a word, so nothing is allowed there that is not known here; the same goes for Envoy,
which does complain about what it does not know, but not about what is unsafe.
"""

from aigateway.rules.catalogue import RULES
from aigateway.rules.report import Violation, find_violations, render_rules_reference, require_clean
from aigateway.rules.rule import Rule

__all__ = ["RULES", "Rule", "Violation", "find_violations", "render_rules_reference", "require_clean"]
