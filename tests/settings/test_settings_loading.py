"""Every problem of a settings file: in our words, with file, line, key, value and what is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from aigateway.errors import SettingsError
from aigateway.settings.loading import find_root, list_environments, load_environment, load_settings

GOOD = """\
environment: dev
clients:
  - name: roo
"""
FILE = "infra/env/dev/gateway.yaml"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a settings file in a checkout that is the current folder."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str | bytes, environment: str = "dev") -> Path:
        path = tmp_path / "infra" / "env" / environment / "gateway.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file


def complain(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert "pydantic" not in str(caught.value)
    assert "Input should" not in str(caught.value)
    return str(caught.value).splitlines()


def test_a_short_file_is_filled_with_defaults(write: Write) -> None:
    settings = load_settings(write(GOOD))
    assert settings.environment == "dev"
    assert settings.azure.responses.model == "gpt-5.3-codex"
    assert [client.name for client in settings.clients] == ["roo"]


def test_a_byte_order_mark_is_no_part_of_the_file(write: Write) -> None:
    assert load_settings(write(b"\xef\xbb\xbf" + GOOD.encode())).environment == "dev"


def test_plain_words_that_yaml_1_1_would_change_stay_text(write: Write) -> None:
    settings = load_settings(
        write(f"{GOOD}  - name: no\nazure: {{embeddings: {{api_version: 2024-10-21}}}}\n")
    )
    assert settings.azure.embeddings.api_version == "2024-10-21"
    assert settings.clients[1].name == "no"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        pytest.param(
            "limits:\n  embeddings:\n    burts: 9\n",
            "6: limits.embeddings.burts: unknown key; did you mean 'burst'?",
            id="unknown key",
        ),
        pytest.param(
            "clints: []\n", "4: clints: unknown key; did you mean 'clients'?", id="unknown key at the top"
        ),
        pytest.param(
            "dimensions: 3072\n",
            "4: dimensions: unknown key; did you mean azure.embeddings.dimensions?",
            id="right key in the wrong place",
        ),
        pytest.param(
            "retries:\n  zzz: 1\n",
            "5: retries.zzz: unknown key; retries may have attempts, backoff_base_seconds, "
            "backoff_max_seconds, "
            "retry_after_max_seconds",
            id="key like no other",
        ),
        pytest.param(
            "  - name: codex\n    keyz: [a]\n",
            "5: clients[1].keyz: unknown key; did you mean 'keys'?",
            id="unknown key in a list",
        ),
        pytest.param(
            "limits: {embeddings: {burst: abc}}\n",
            "4: limits.embeddings.burst: is 'abc'; must be a whole number above 0, at most 1,000,000",
            id="word for a number",
        ),
        pytest.param(
            'scale: {max_replicas: "2"}\n',
            "4: scale.max_replicas: is '2'; must be a whole number from 1 to 300, without quotes",
            id="number in quotes",
        ),
        pytest.param(
            "scale: {max_replicas: true}\n",
            "4: scale.max_replicas: is true; must be a whole number from 1 to 300",
            id="truth value for a number",
        ),
        pytest.param(
            "scale: {max_replicas: 1.5}\n",
            "4: scale.max_replicas: is 1.5; must be a whole number from 1 to 300",
            id="fraction for a whole number",
        ),
        pytest.param(
            "scale: {max_replicas: 0}\n",
            "4: scale.max_replicas: is 0; must be a whole number from 1 to 300",
            id="too small",
        ),
        pytest.param(
            "scale: {max_replicas: 010}\n",
            "4: scale.max_replicas: is '010'; must be a whole number from 1 to 300, without a leading zero",
            id="leading zero",
        ),
        pytest.param(
            "limits: {client_share: 1e400}\n",
            "4: limits.client_share: is 1e400; must be a number above 0, at most 1",
            id="infinite",
        ),
        pytest.param(
            "observability: {application_insights: yes}\n",
            "4: observability.application_insights: is 'yes'; must be true or false",
            id="yes for true",
        ),
        pytest.param(
            "images: {envoy: {tag: 1.40}}\n",
            "4: images.envoy.tag: is 1.40; must be an image's tag, such as v1.40.0, in quotes",
            id="number for text, as it is written",
        ),
        pytest.param(
            "location: westeurope\n",
            "4: location: is 'westeurope'; must be a group of settings: name, code",
            id="word for a group",
        ),
        pytest.param(
            "retries:\n",
            "4: retries: has no value; must be a group of settings: attempts, backoff_base_seconds, "
            "backoff_max_seconds, retry_after_max_seconds",
            id="empty group",
        ),
        pytest.param(
            "ingress: {allowed_ip_ranges: 10.0.0.0/8}\n",
            "4: ingress.allowed_ip_ranges: is '10.0.0.0/8'; must be a list, each an IPv4 range such as "
            "203.0.113.0/24, no bits after /24",
            id="word for a list",
        ),
        pytest.param(
            "ingress:\n  allowed_ip_ranges:\n    - 203.0.113.0/24\n    - 203.0.113.1/24\n",
            "7: ingress.allowed_ip_ranges[1]: is '203.0.113.1/24'; must be an IPv4 range such as "
            "203.0.113.0/24, no bits after /24",
            id="host bits in a range",
        ),
        pytest.param(
            "ingress: {allowed_ip_ranges: [0.0.0.0/0]}\n",
            "4: ingress.allowed_ip_ranges[0]: is '0.0.0.0/0', which is every address; "
            "leave allowed_ip_ranges "
            "empty for that",
            id="a range of all addresses",
        ),
        pytest.param(
            "network: {enabled: true, address_range: 203.0.113.0/24}\n",
            "4: network.address_range: is '203.0.113.0/24', which is not free for private use; "
            "must be such as 10.42.0.0/24",
            id="public addresses for a network",
        ),
        pytest.param(
            "network: {enabled: true, address_range: 172.30.4.0/24}\n",
            "4: network.address_range: is '172.30.4.0/24', which is not free for private use; "
            "must be such as 10.42.0.0/24",
            id="addresses that Container Apps has",
        ),
        pytest.param(
            "network: {enabled: true, address_range: 10.42.0.0/28}\n",
            "4: network.address_range: is '10.42.0.0/28'; must be from /16 to /26 long",
            id="a network that is too small",
        ),
        pytest.param(
            "network: {private_vault: true}\n",
            "4: network.private_vault: is true, and there is no network to reach the vault from; must be false, "
            "or network.enabled true",
            id="a private vault without a network",
        ),
        pytest.param(
            "secret_versions: {azure_openai_key: 0}\n",
            "4: secret_versions.azure_openai_key: is 0; must be a whole number from 1 to 1,000,000",
            id="a secret that was never written",
        ),
        pytest.param(
            "location: {name: westeurop}\n",
            "4: location.name: is 'westeurop', which is no Azure location that is known here; "
            "did you mean 'westeurope'?",
            id="unknown location",
        ),
        pytest.param(
            "location: {code: sa}\n",
            "4: location.code: is 'sa'; must be 'san', the code of southafricanorth (no "
            "location has that code)",
            id="unknown code",
        ),
        pytest.param(
            "location: {name: westeurope, code: san}\n",
            "4: location.code: is 'san'; must be 'weu', the code of westeurope (that is southafricanorth's)",
            id="another location's code",
        ),
        pytest.param(
            "azure: {responses: {api_version: 2024-10-21}}\n",
            "4: azure.responses.api_version: is '2024-10-21'; must be 2025-03-01-preview "
            "or later: Azure has no "
            "Responses API before that version",
            id="api-version without Responses",
        ),
        pytest.param(
            "azure: {embeddings: {api_version: v1}}\n",
            "4: azure.embeddings.api_version: is 'v1'; must be a version such as "
            "2024-10-21 or 2024-10-01-preview",
            id="word for a dated api-version",
        ),
        pytest.param(
            "azure: {embeddings: {dimensions: 3073}}\n",
            "4: azure.embeddings.dimensions: is 3073; must be a whole number from 1 to 3072 for "
            "text-embedding-3-large",
            id="too many dimensions",
        ),
        pytest.param(
            "azure:\n  embeddings:\n    model: gpt-5.3-codex\n    deployment: x1\n",
            "6: azure.embeddings.model: is 'gpt-5.3-codex', as azure.responses.model is; must be another",
            id="one model for two endpoints",
        ),
        pytest.param(
            "  - name: roo\n",
            "4: clients[1].name: is 'roo', as clients[0] is; each client needs a name of its own",
            id="client twice",
        ),
        pytest.param(
            "    keys: [a, a]\n",
            "4: clients[0].keys[1]: has 'a' twice; must be [a], [b] or [a, b]",
            id="key slot twice",
        ),
        pytest.param(
            "    keys: [c]\n", "4: clients[0].keys[0]: is 'c'; must be 'a' or 'b'", id="unknown key slot"
        ),
        pytest.param(
            "    keys: []\n",
            "4: clients[0].keys: is a list of 0; must be a list of 1 to 2, each 'a' or 'b'",
            id="client without a key",
        ),
        pytest.param(
            "    limits:\n      responses: {requests_per_minute: 90000, burst: 2}\n",
            "5: clients[0].limits.responses.requests_per_minute: is 90000; must not be above "
            "limits.responses.requests_per_minute, which is {responses_rpm}",
            id="client's limit above the endpoint's",
        ),
        pytest.param(
            "limits:\n  responses: {requests_per_minute: 50, burst: 50}\n",
            "5: limits.responses.burst: is 50; must be below requests_per_minute, which is 50",
            id="burst not below the rate",
        ),
        pytest.param(
            "limits:\n  embeddings:\n    queue: 19\n",
            "6: limits.embeddings.queue: is 19; must not be below parallel, which is 20: an idle gateway would "
            "refuse what comes at once beyond the queue",
            id="queue below the places",
        ),
        pytest.param(
            "scale:\n  max_replicas: 3\nlimits:\n  embeddings:\n    parallel: 2\n",
            "8: limits.embeddings.parallel: is 2, which over 3 replicas leaves none; must be at least 3",
            id="limit lost in its shares",
        ),
        pytest.param(
            "scale:\n  max_replicas: 90\n",
            "5: limits.responses.parallel: is {responses_parallel}, which over 90 replicas leaves none; "
            "must be at least 90",
            id="default limit lost in its shares",
        ),
        pytest.param(
            "limits:\n  client_share: 0.001\n",
            "5: limits.client_share: is 0.001, too little of limits.responses: a client's burst is 0, "
            "which leaves none; must be at least 1",
            id="client's share lost",
        ),
        pytest.param(
            "scale:\n  min_replicas: 2\n",
            "5: scale.min_replicas: is 2; must not be above max_replicas, which is 1",
            id="replicas out of order",
        ),
        pytest.param(
            "scale:\n  envoy:\n    cpu: 0.5\n",
            "6: scale.litellm.memory_gib: gives a replica 2 GiB in all (litellm and "
            "envoy); must be 2.5: Azure "
            "takes only 2 GiB for each vCPU, and there are 1.25",
            id="pair that Azure refuses",
        ),
        pytest.param(
            "timeouts:\n  stream_idle_seconds: 700\n",
            "5: timeouts.stream_idle_seconds: is 700; must not be above responses_seconds, which is 600",
            id="idle time above the whole",
        ),
        pytest.param(
            "retries: {backoff_base_seconds: 9}\n",
            "4: retries.backoff_max_seconds: is 8; must not be below backoff_base_seconds, which is 9",
            id="back-off out of order",
        ),
        pytest.param(
            "images:\n  envoy:\n    tag: v1\n  envoy:\n    tag: v2\n",
            "7: images.envoy: stands in line 5 already; keep one of them",
            id="key twice",
        ),
        pytest.param(
            "images: {litellm: {digest: 'sha256:0a1b'}}\n",
            "4: images.litellm.digest: is 'sha256:0a1b'; must be sha256: and 64 hexadecimal digits",
            id="digest that is none",
        ),
        pytest.param(
            "ingress: {allowed_ip_ranges: [office]}\n",
            "4: ingress.allowed_ip_ranges[0]: is 'office'; must be an IPv4 range such as "
            "203.0.113.0/24, no bits after /24",
            id="range that is none",
        ),
        pytest.param(
            "project: a-project-too-long\n",
            "4: project: is 'a-project-too-long', with which 'pvc-dev-a-project-too-long-kv-san' has 33 "
            "characters, and the name of a Key Vault has 3 to 24; make project 9 characters shorter, or set "
            "names.key_vault",
            id="project too long for a vault",
        ),
        pytest.param(
            "names: {key_vault: my_vault}\n",
            "4: names.key_vault: 'my_vault' is no name of a Key Vault, which has letters, digits and single "
            "hyphens, and begins with a letter",
            id="override that is no name",
        ),
    ],
)
def test_a_problem_is_told_with_line_key_and_what_is_allowed(write: Write, added: str, expected: str) -> None:
    limit = load_settings(write(GOOD)).limits.responses
    expected = expected.format(responses_rpm=limit.requests_per_minute, responses_parallel=limit.parallel)
    assert f"{FILE}:{expected}" in complain(write(GOOD + added))


def test_every_problem_of_a_file_is_told_at_once_in_the_order_of_lines(write: Write) -> None:
    lines = complain(
        write("environment: dev\nclients:\n  - name: Roo\n  - nam: x\nscale: {max_replicas: no, cpu: 1}\n")
    )
    assert [line.split(": ")[:2] for line in lines] == [
        [f"{FILE}:3", "clients[0].name"],
        [f"{FILE}:4", "clients[1].nam"],
        [f"{FILE}:4", "clients[1].name"],
        [f"{FILE}:5", "scale.cpu"],
        [f"{FILE}:5", "scale.max_replicas"],
    ]


def test_a_wrong_setting_is_told_once_not_again_by_what_follows_from_it(write: Write) -> None:
    (line,) = complain(write(f"{GOOD}azure: {{embeddings: {{model: 7}}}}\n"))
    assert line == (
        f"{FILE}:4: azure.embeddings.model: is 7; must be letters, digits, '.', '_' and '-', at most 64 "
        "characters, in quotes"
    )


def test_what_is_required_is_missed(write: Write) -> None:
    clients = "must be a list of at least 1, each a group of settings: name, keys, limits"
    assert complain(write("project: x\n")) == [
        f"{FILE}:1: clients: is missing; {clients}",
        f"{FILE}:1: environment: is missing; must be 'dev', 'staging' or 'prod'",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("", f"{FILE}: is empty; must have at least", id="empty"),
        pytest.param("# only this\n\n", f"{FILE}: is empty; must have at least", id="only a comment"),
        pytest.param("- a\n", f"{FILE}:1: must be settings, a line each", id="a list"),
        pytest.param("dev\n", f"{FILE}:1: must be settings, a line each", id="a word"),
        pytest.param("environment: dev\nclients: [a\n", f"{FILE}:3: is not YAML: ", id="malformed"),
        pytest.param(
            "environment: dev\nclients:\n\t- a\n", f"{FILE}:3: is not YAML: there is a tab", id="tab"
        ),
        pytest.param("a: 1\n---\nb: 2\n", f"{FILE}:2: begins a second YAML document", id="two documents"),
        pytest.param("? [a]\n: 1\n", f"{FILE}:1: the file: has a key that is not a word", id="list as key"),
        pytest.param("a: &x [1]\nb: *x\n", f"{FILE}:1: has a YAML anchor or alias", id="anchor"),
        pytest.param("a: !!python/name:os.system\n", f"{FILE}:1: has a YAML tag", id="tag"),
        pytest.param("a: !include x\n", f"{FILE}:1: has a YAML tag", id="tag of one's own"),
        pytest.param("a: " + "[" * 5000, f"{FILE}:1: is nested more than 12 deep", id="nested"),
        pytest.param(
            "a: 1\nb: \x07\n", f"{FILE}:2: has the control character U+0007", id="control character"
        ),
        pytest.param("#" * 300_000, f"{FILE}: is larger than 256 KiB", id="large"),
        pytest.param(b"a: 1\nb: \xff\n", f"{FILE}:2: is not UTF-8", id="Latin-1"),
        pytest.param("a: 1\n".encode("utf-16"), f"{FILE}:1: is not UTF-8", id="UTF-16"),
    ],
)
def test_a_file_that_is_no_settings_file(write: Write, content: str | bytes, expected: str) -> None:
    lines = complain(write(content))
    assert len(lines) == 1
    assert lines[0].startswith(expected)


def test_a_folder_a_missing_and_an_unreadable_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(GOOD)
    assert complain(path.parent) == ["infra/env/dev: is a folder; must be a settings file"]
    assert complain(path.with_name("other.yaml")) == [
        "infra/env/dev/other.yaml: does not exist; docs/settings.md says what it holds"
    ]

    # As root every file can be read, so the refusal is the system call's own, simulated.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert complain(path) == [f"{FILE}: cannot be read: Permission denied"]


def test_the_environment_is_the_folders(write: Write) -> None:
    assert complain(write(GOOD, "staging")) == [
        "infra/env/staging/gateway.yaml:1: environment: is 'dev'; must be 'staging', as its folder is called"
    ]


def test_an_unknown_environment_in_the_file_names_the_nearest(write: Write) -> None:
    assert complain(write(GOOD.replace("dev", "prd"))) == [
        f"{FILE}:1: environment: is 'prd'; must be 'dev', 'staging' or 'prod'; did you mean 'prod'?"
    ]


SECRETS = [
    "sk-1234",
    "sk-proj-abcdefghijklmnopqrstuv",
    "0123456789abcdef0123456789abcdef",
    "8Q2kZ5vXw1nB7cT4mR9pL3sD6fG0hJyUaEiOqWxV",
    "abc-DEF_123-ghi-JKL_456-mno-PQR_789-stu",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "line",
    ["project: {}", "azure_key: {}", "{}: x", "# the key was {}", "project: '{}", "project: &a {}", '"{}'],
)
def test_a_secret_is_refused_wherever_it_stands_and_never_shown(write: Write, secret: str, line: str) -> None:
    lines = complain(write(f"{GOOD}{line.format(secret)}\n"))
    assert len(lines) == 1
    assert re.match(rf"{FILE}:4: (project: |azure_key: )?looks like a secret, ", lines[0])
    assert secret[:6] not in lines[0]


@pytest.mark.parametrize(
    "line",
    [
        f"images: {{envoy: {{digest: 'sha256:{'0a' * 32}'}}}}",
        (
            "images: {litellm: {repository: "
            "registry-1.example-company.com/mirror/ghcr-io/berriai/litellm-proxy}}"
        ),
        "azure: {embeddings: {deployment: text-embedding-3-large-for-indexing-2026}}",
        "observability: {alert_emails: [platform-team-on-call@a-rather-long-company-name-2.example.com]}",
        "  - name: sk-marketing",
    ],
)
def test_what_is_long_but_no_secret_is_let_through(write: Write, line: str) -> None:
    load_settings(write(f"{GOOD}{line}\n"))


def test_an_environment_is_found_by_name(write: Write, tmp_path: Path) -> None:
    write(GOOD)
    write(GOOD.replace("dev", "prod"), "prod")
    assert list_environments(tmp_path) == ("dev", "prod")
    assert load_environment(tmp_path, "prod").environment == "prod"
    with pytest.raises(
        SettingsError, match=r"no environment 'prd'; did you mean 'prod'\? \(there are dev, prod\)"
    ):
        load_environment(tmp_path, "prd")
    with pytest.raises(SettingsError, match=r"no environment '\.\./dev'"):
        load_environment(tmp_path, "../dev")
    with pytest.raises(SettingsError, match=r"infra/env/staging/gateway\.yaml: does not exist"):
        load_environment(tmp_path, "staging")


def test_the_root_is_the_checkout_around_else_the_packages_own(tmp_path: Path) -> None:
    deep = tmp_path / "infra" / "env" / "dev"
    deep.mkdir(parents=True)
    (tmp_path / "templates").mkdir()
    assert find_root(deep) == tmp_path.resolve()
    own = find_root(Path(os.sep))
    assert (own / "aigateway" / "settings").is_dir()


def test_without_a_checkout_the_message_says_what_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aigateway.__file__", str(tmp_path / "site-packages" / "aigateway" / "__init__.py"))
    with pytest.raises(SettingsError, match="is in no checkout of the gateway"):
        find_root(tmp_path)


def test_the_committed_environments_load() -> None:
    root = find_root(Path(__file__).parent)
    assert list_environments(root) == ("dev", "staging", "prod")
    for name in list_environments(root):
        settings = load_environment(root, name)
        assert "acceptance" in [client.name for client in settings.clients]
