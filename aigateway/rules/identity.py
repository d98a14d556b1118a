"""Rules on who may come in, and on what LiteLLM and the client learn of each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aigateway.rendering import body
from aigateway.rules.envoy_config import ApiKeyAuth, CidrRange, EnvoyConfig, Mutation
from aigateway.rules.limits import CLIENT_HEADER
from aigateway.rules.rule import Complaint, rule
from aigateway.rules.subject import TerraformVariables
from aigateway.settings.model import Client, Settings

#: Where a client's key is looked for; the first that is not empty decides.
_KEY_HEADERS = ("x-gateway-key", "Authorization")

#: Headers in which a client sends a key of its own, or by which LiteLLM or Azure would take one.
_CLIENT_KEY_HEADERS = ("x-gateway-key", "api-key", "x-api-key", "cookie")
#: Headers that only the edge may set: whose key it was, and what it read in the body.
_OWN_HEADERS = (CLIENT_HEADER, body.READ_HEADER, body.MODEL_HEADER, body.REFUSED_HEADER)
_OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
#: An address for documentation only (RFC 5737).
_NOBODY = CidrRange(address_prefix="192.0.2.1", prefix_len=32)
_MASTER_KEY = "Bearer ${LITELLM_MASTER_KEY}"


@rule(
    "EN030",
    "keys other than the valid ones of the settings' clients",
    reason="a key that is missing locks a client out; one too many keeps a retired one valid; one that stands there "
    "in full is committed",
    source="the PRD, FR3 and NFR2; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/api_key_auth_filter",
).on_envoy
def credentials(config: EnvoyConfig, settings: Settings) -> Iterator[Complaint]:
    """Each client's valid slots, by reference, and nothing else. What stands there is not shown."""
    expected = {
        f"${{{variable}}}": client for client in settings.clients for variable in client.key_variables
    }
    for manager in config.managers:
        if not manager.key_auths:
            yield "http_filters[api_key_auth]", "is missing; nobody would be asked for a key"
        for auth in manager.key_auths:
            yield from _judge_credentials(auth, expected)


def _judge_credentials(auth: ApiKeyAuth, expected: dict[str, Client]) -> Iterator[Complaint]:
    place = "http_filters[api_key_auth].credentials"
    for index, credential in enumerate(auth.credentials):
        client = expected.get(credential.key)
        if client is None:
            yield (
                f"{place}[{index}].key",
                "must be ${VARIABLE}, of a valid key slot of a client of the settings",
            )
        elif credential.client != client.name:
            yield f"{place}[{index}].client", f"must be {client.name}, whose key it is"
    keys = [credential.key for credential in auth.credentials]
    for key in expected:
        if keys.count(key) != 1:
            yield place, f"have {key} {keys.count(key)} times; must have it once"


@rule(
    "EN031",
    "a key taken from elsewhere, or a client's name that is not the key's",
    reason="a key in a query or a cookie ends up in logs; a token in Authorization, for what stands before the edge, "
    "would hide the key beside it; the limits and the access log count by the name that the key gives, and a name that "
    "a client may choose itself is worth nothing",
    source="the PRD, FR3; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/api_key_auth_filter",
).on_envoy
def key_sources(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Two headers for the key; one, overwritten, for the name; the key goes no further."""
    place = "http_filters[api_key_auth]"
    for auth in (auth for manager in config.managers for auth in manager.key_auths):
        if any(source.query or source.cookie for source in auth.key_sources) or [
            source.header for source in auth.key_sources
        ] != list(_KEY_HEADERS):
            yield f"{place}.key_sources", f"must be the headers {', then '.join(_KEY_HEADERS)}"
        if auth.forwarding is None or auth.forwarding.header != CLIENT_HEADER:
            yield f"{place}.forwarding.header", f"must be {CLIENT_HEADER}"
        if auth.forwarding is None or not auth.forwarding.hide_credentials:
            yield f"{place}.forwarding.hide_credentials", "must be true"


@rule(
    "EN032",
    "a client's own headers that reach LiteLLM",
    reason="LiteLLM takes its key from several headers, and obeys x-litellm-* ones: time-outs, retries, tags, another "
    "key. Clients must never hold the master key, which is the administrator's",
    source="measured with LiteLLM 1.106.2; its types/proxy/auth/special_headers.py, "
    "docs.litellm.ai/docs/proxy/request_headers",
).on_envoy
def request_headers(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """The master key is put in the client's place, and what LiteLLM obeys is taken away."""
    place = "http_filters[header_mutation].request_mutations"
    for manager in config.managers:
        steps = manager.request_mutations
        if not any(_sets_master_key(step) for step in steps):
            yield place, f"must set authorization to '{_MASTER_KEY}' with {_OVERWRITE}"
        yield from _judge_removals(place, steps, names=_CLIENT_KEY_HEADERS, prefixes=("x-litellm-",))


def _sets_master_key(step: Mutation) -> bool:
    return (
        step.append is not None
        and step.append.header.key.lower() == "authorization"
        and step.append.header.value == _MASTER_KEY
        and step.append.append_action == _OVERWRITE
    )


@rule(
    "EN033",
    "LiteLLM's own headers that reach a client",
    reason="x-litellm-* tell Azure's address, the deployment and the cost; llm_provider-* repeat Azure's headers",
    source="measured with LiteLLM 1.106.2 (it has no switch for them); docs.litellm.ai/docs/proxy/response_headers",
).on_envoy
def response_headers(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """They are taken away, and with them nothing that a client needs: that is copied first."""
    place = "http_filters[header_mutation].response_mutations"
    for manager in config.managers:
        steps = manager.response_mutations
        yield from _judge_removals(place, steps, prefixes=("llm_provider-", "x-litellm-"))


def _judge_removals(
    place: str, steps: Iterable[Mutation], names: Iterable[str] = (), prefixes: Iterable[str] = ()
) -> Iterator[Complaint]:
    removed = {step.remove.lower() for step in steps if step.remove}
    matched = {step.remove_on_match.key_matcher.prefix.lower() for step in steps if step.remove_on_match}
    for name in names:
        if name not in removed:
            yield place, f"must remove {name}"
    for prefix in prefixes:
        if prefix not in matched:
            yield place, f"must remove every header that begins with {prefix}"


@rule(
    "EN034",
    "Envoy's own request headers that are believed",
    reason="with x-envoy-* headers a caller from a trusted address sets retries, time-outs and the request id; the "
    "platform's ingress calls from a private address, so every stranger could count as trusted",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/header_sanitizing",
).on_envoy
def strangers(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Every caller is a stranger."""
    for manager in config.managers:
        if not manager.use_remote_address:
            yield "use_remote_address", "must be true"
        friends = manager.internal_address_config
        if friends is None or friends.unix_sockets or friends.cidr_ranges != (_NOBODY,):
            nobody = f"{_NOBODY.address_prefix}/{_NOBODY.prefix_len}"
            yield (
                "internal_address_config",
                f"must have {nobody}, which is nobody's, as its only range: without one, private addresses are trusted",
            )


@rule(
    "EN035",
    "a cluster other than the LiteLLM beside it",
    reason="requests carry the master key and the prompt; they may go only to LiteLLM, in the same network namespace",
    source="the PRD, 8.3; learn.microsoft.com/azure/container-apps/containers",
).on_envoy
def upstreams(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Every address is LiteLLM's."""
    for cluster in config.clusters:
        if [(each.address, each.port_value) for each in cluster.addresses] != [
            ("127.0.0.1", "${LITELLM_PORT}")
        ]:
            yield (
                f"clusters[{cluster.name}].load_assignment",
                "must be 127.0.0.1, port ${LITELLM_PORT}, and no other",
            )


@rule(
    "EN036",
    "a client's name, or a note on a body, that comes from the client",
    reason="a request without a valid key would still stand in the access log, under whatever name it gives itself; "
    "a body that the edge cannot read would pass for one that it has read",
    source="the PRD, NFR3; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/header_sanitizing",
).on_envoy
def own_names(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """The headers are taken away before anything looks at them; nothing is put in that early."""
    place = "early_header_mutation_extensions"
    for manager in config.managers:
        steps = [
            step for each in manager.early_header_mutation_extensions for step in each.typed_config.mutations
        ]
        yield from _judge_removals(place, steps, names=_OWN_HEADERS)
        if any(step.append for step in steps):
            yield place, "must only remove headers"


@rule(
    "GW012",
    "client keys handed over other than the valid ones of the settings",
    reason="a variable that Terraform does not hand over stops Envoy's start; one too many reads a secret for nothing",
    source="the PRD, FR4; infra/modules/aigateway_aca/start/envoy.sh",
).on_terraform
def handed_over_keys(variables: TerraformVariables, settings: Settings) -> Iterator[Complaint]:
    """Each valid slot's variable, with its Key Vault secret."""
    expected = {
        variable: secret
        for client in settings.clients
        for variable, secret in zip(client.key_variables, client.secret_names, strict=True)
    }
    for variable, secret in expected.items():
        if variables.client_keys.get(variable) != secret:
            yield f"client_keys.{variable}", f"must be {secret}"
    for variable in variables.client_keys:
        if variable not in expected:
            yield f"client_keys.{variable}", "is no valid key slot of a client of the settings; remove it"
