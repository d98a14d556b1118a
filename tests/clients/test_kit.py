"""What each template renders is read as its client reads it, and says what the settings say."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pointing import DEPLOYED, LOCAL, ROOT, change_settings, point_at

from aigateway.clients import CLIENTS, Client
from aigateway.clients.catalogue import TITLES, find_obstacle
from aigateway.clients.kit import Gateway, describe_key, make_kit, write_kits
from aigateway.doctor.traps import is_azure_to_codex
from aigateway.errors import AigatewayError, RenderError
from aigateway.settings.model import Settings

#: Nothing of it is a default.
OTHER = {"model": "house-model", "input_tokens": 90_001, "output_tokens": 7_002}


def read(client: Client, name: str, gateway: Gateway | None = None) -> str:
    """The text of one file."""
    kit = make_kit(ROOT, gateway or point_at(), client)
    return {file.name: file.text for file in kit.files}[name]


@pytest.fixture(scope="module")
def other() -> Gateway:
    """A gateway whose settings are nobody's defaults."""
    settings = change_settings(ROOT, "responses", **OTHER)
    embeddings = {"model": "house-vectors", "dimensions": 1234}
    data = settings.model_dump()
    data["azure"]["embeddings"] = {**embeddings, "base_model": "azure/text-embedding-3-large"}
    data["timeouts"] |= {"responses_seconds": 1111, "stream_idle_seconds": 333}
    return point_at("https://other.test", Settings.model_validate(data))


def test_every_client_has_a_title_and_templates() -> None:
    assert set(TITLES) == set(CLIENTS)
    assert {path.name for path in (ROOT / "templates/clients").iterdir()} == set(CLIENTS)


@pytest.mark.parametrize("client", CLIENTS)
def test_no_file_holds_a_key_and_each_says_which_variable_does(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = point_at()
    for variable in (gateway.key_variable, "AIGATEWAY_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(variable, "the key of whoever asks")
    kit = make_kit(ROOT, gateway, client)
    text = "".join(file.text for file in kit.files)
    assert gateway.key_variable in text
    assert not re.search(r"\bsk-\w", text)
    assert "the key of whoever asks" not in text + kit.guide + kit.key


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_is_said_that_settings_know_better(client: Client, other: Gateway) -> None:
    kit = make_kit(ROOT, other, client)
    text = kit.guide + "".join(file.text for file in kit.files)
    for default in ("gpt-5.3-codex", "text-embedding", "3072", "272000", "128000", "400000", DEPLOYED):
        assert default not in text
    assert "house-model" in "".join(file.text for file in kit.files)


@pytest.mark.parametrize("client", CLIENTS)
def test_guides_are_markdown_with_nothing_left_open(client: Client) -> None:
    guide = make_kit(ROOT, point_at(), client).guide
    assert not re.search(r"\{[{%#]|\n\n\n", guide)
    assert guide.count("`") % 2 == 0
    assert guide.count("**") % 2 == 0


def test_codex(other: Gateway) -> None:
    config = tomllib.loads(read("codex", "config.toml", other))
    assert config.pop("model") == "house-model"
    assert config.pop("model_context_window") == 90_001
    provider = config["model_providers"].pop(config.pop("model_provider"))
    assert config == {"model_providers": {}}
    assert provider["base_url"] == "https://other.test/v1"
    assert provider["env_key"] == "AIGATEWAY_KEY_DEV"
    assert provider["stream_idle_timeout_ms"] == 343_000
    assert (provider["wire_api"], provider["supports_websockets"], provider["requires_openai_auth"]) == (
        "responses",
        False,
        False,
    )
    assert not is_azure_to_codex(f"https://{provider['name']}")


@pytest.mark.parametrize("name", ["opencode", "kilo"])
def test_opencode_and_kilo(name: Client, other: Gateway) -> None:
    config = json.loads(read(name, f"{name}.json", other))
    provider_id, _, model = config["model"].partition("/")
    provider = config["provider"][provider_id]
    assert config["small_model"] == config["model"]
    assert provider["npm"] == "@ai-sdk/openai"
    assert provider["options"] == {
        "baseURL": "https://other.test/v1",
        "apiKey": "{env:AIGATEWAY_KEY_DEV}",
        "timeout": 1_121_000,
    }
    assert provider["models"][model]["limit"] == {"context": 97_003, "input": 90_001, "output": 7_002}
    if name == "kilo":
        assert config["indexing"] == {
            "enabled": True,
            "provider": "openai-compatible",
            "model": "house-vectors",
            "dimension": 1234,
            "openai-compatible": {"baseUrl": "https://other.test/v1", "apiKey": "{env:AIGATEWAY_KEY_DEV}"},
        }


def test_qoder(other: Gateway) -> None:
    (provider,) = json.loads(read("qoder", "settings.json", other))["providers"].values()
    assert (provider["protocol"], provider["baseUrl"]) == ("openai-responses", "https://other.test/v1")
    assert provider["apiKey"] == "${AIGATEWAY_KEY_DEV}"
    assert provider["models"][0]["model"] == provider["model"] == "house-model"
    assert provider["models"][0]["contextWindow"] == 97_003


def test_continue(other: Gateway) -> None:
    config = yaml.safe_load(read("continue", "config.yaml", other))
    chat, embed = config["models"]
    for model in (chat, embed):
        assert model["apiKey"] == "${{ secrets.AIGATEWAY_KEY_DEV }}"
        assert model["apiBase"] == "https://other.test/v1"
    assert chat["defaultCompletionOptions"] == {"contextLength": 97_003, "maxTokens": 7_002}
    assert (embed["model"], embed["roles"]) == ("house-vectors", ["embed"])


def read_roo(client: Client, gateway: Gateway) -> tuple[dict[str, Any], dict[str, Any]]:
    """The profile that becomes the current one, and the settings of the index."""
    data = json.loads(read(client, "roo-settings.json", gateway))
    profiles = data["providerProfiles"]
    profile: dict[str, Any] = profiles["apiConfigs"][profiles["currentApiConfigName"]]
    return profile, data["globalSettings"]["codebaseIndexConfig"]


def test_roo_native_is_without_v1_but_its_index_is_with() -> None:
    profile, index = read_roo("roo", point_at())
    assert (profile["apiProvider"], profile["apiModelId"]) == ("openai-native", "gpt-5.3-codex")
    assert profile["openAiNativeBaseUrl"] == DEPLOYED
    assert index["codebaseIndexOpenAiCompatibleBaseUrl"] == f"{DEPLOYED}/v1"
    assert index["codebaseIndexEnabled"] is True
    assert profile["openAiNativeApiKey"] == profile["codebaseIndexOpenAiCompatibleApiKey"]
    assert "PASTE" in profile["openAiNativeApiKey"]


def test_roo_compatible(other: Gateway) -> None:
    profile, index = read_roo("roo-compatible", other)
    assert (profile["openAiBaseUrl"], profile["openAiModelId"]) == ("https://other.test/v1", "house-model")
    assert profile["openAiCustomModelInfo"]["contextWindow"] == 97_003
    assert index["codebaseIndexEmbedderModelId"] == "house-vectors"
    assert index["codebaseIndexEmbedderModelDimension"] == 1234
    assert index["codebaseIndexEnabled"] is True


def test_roo_does_not_index_what_it_takes_for_longer_vectors() -> None:
    short = point_at(settings=change_settings(ROOT, "embeddings", dimensions=1024))
    _, index = read_roo("roo", short)
    assert index["codebaseIndexEnabled"] is False
    assert "The index is off" in make_kit(ROOT, short, "roo").guide


def test_roo_native_is_refused_for_a_model_that_it_does_not_know(other: Gateway) -> None:
    assert "use --client roo-compatible" in find_obstacle("roo", other.settings)
    assert not find_obstacle("roo-compatible", other.settings)


def test_codex_is_warned_of_front_doors_own_address() -> None:
    warned = "is such an address"
    assert warned in make_kit(ROOT, point_at("https://pvc-x.b01.azurefd.net"), "codex").guide
    assert warned not in make_kit(ROOT, point_at(), "codex").guide


def test_cline_and_openais_variables_are_shell() -> None:
    # What an address may hold, a shell must not run.
    gateway = point_at("http://127.0.0.1:4000/$(touch x)';x")
    for client, name in (("cline", "cline.sh"), ("openai", "openai.env")):
        text = read(client, name, gateway)  # type: ignore[arg-type]
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
        assert f"{gateway.base_url}/v1" in "\n".join(shlex.split(text, comments=True)), text


def test_openais_variables_become_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "openai.env").write_text(read("openai", "openai.env"))
    done = subprocess.run(
        ["sh", "-euc", 'set -a; . ./openai.env; set +a; env | grep "^OPENAI_"'],
        cwd=tmp_path,
        env={"AIGATEWAY_KEY_DEV": "a-key", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(done.stdout.split()) == [
        "OPENAI_API_KEY=a-key",
        f"OPENAI_BASE_URL={DEPLOYED}/v1",
        "OPENAI_MODEL=gpt-5.3-codex",
    ]


def test_cline_says_which_variable_is_missing() -> None:
    done = subprocess.run(
        ["sh"],
        input=read("cline", "cline.sh"),
        env={"PATH": "/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "AIGATEWAY_KEY_DEV: set it to your key" in done.stderr


def test_the_python_file_is_python() -> None:
    ast.parse(read("openai", "try.py"))


@pytest.mark.parametrize(
    ("client", "base_url", "expected"),
    [
        ("codex", DEPLOYED, "--name client-codex-b "),  # it has both slots: the second is the new one
        ("roo-compatible", DEPLOYED, "--name client-roo-a "),
        ("opencode", DEPLOYED, "--name client-NAME-a .*NAME: roo, qoder, codex$"),
        ("codex", LOCAL, "aigateway up"),
    ],
)
def test_where_the_key_comes_from(client: Client, base_url: str, expected: str) -> None:
    said = describe_key(point_at(base_url), client)
    assert said.startswith("export AIGATEWAY_KEY_DEV=")
    assert re.search(expected, said)


def test_files_are_written_once_and_never_over_something_else(tmp_path: Path) -> None:
    kits = tuple(make_kit(ROOT, point_at(), client) for client in ("codex", "openai"))  # type: ignore[arg-type]
    codex = tmp_path / "codex" / "config.toml"
    assert codex in write_kits(kits, tmp_path, force=False)
    assert write_kits(kits, tmp_path, force=False) == ()
    codex.write_text("mine")
    (tmp_path / "openai" / "try.py").unlink()
    with pytest.raises(AigatewayError, match=r"config\.toml: exists and says something else"):
        write_kits(kits, tmp_path, force=False)
    assert codex.read_text() == "mine"
    assert not (tmp_path / "openai" / "try.py").exists()
    assert set(write_kits(kits, tmp_path, force=True)) == {codex, tmp_path / "openai" / "try.py"}


def test_one_client_is_written_without_a_folder_of_its_own(tmp_path: Path) -> None:
    kit = make_kit(ROOT, point_at(), "codex")
    assert write_kits((kit,), tmp_path, force=False) == (tmp_path / "config.toml",)


def test_a_client_without_templates(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="templates/clients/codex: has no template"):
        make_kit(tmp_path, point_at(), "codex")
