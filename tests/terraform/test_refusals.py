"""What the module refuses is told what to write instead; and a rule that is taken away is missed."""

from __future__ import annotations

import shutil

import pytest
from terraforming import MODULE, ROOT, Terraform

REFUSED_INPUTS = "refused_inputs.tftest.hcl"


def _read(path: str) -> str:
    return (ROOT / MODULE / path).read_text(encoding="utf-8")


# What is written, the run that writes it, and what the refusal has to say.
BAD_INPUT = {
    "key_vault": (
        'names = merge(var.names, { key_vault = "pvc-staging-aigateway-kv-san" })',
        [
            "of 28 characters",
            "3 to 24 letters",
            "make project shorter, or set names.key_vault in gateway.yaml",
        ],
    ),
    "range": (
        'allowed_ip_ranges = ["203.0.113.0/24", "203.0.113.7/24"]',
        ["'203.0.113.7/24'", "such as 203.0.113.0/24 or 203.0.113.7/32"],
    ),
    "pair": (
        "sizes = { litellm = { cpu = 0.75, memory_gib = 2 }, envoy = { cpu = 0.25, memory_gib = 0.5 } }",
        ["2.5 GiB in all; must be 2", "2 GiB for each vCPU"],
    ),
    "digest": (
        'image_digests = { envoy = "v1.40.0" }',
        ["'v1.40.0'", "must be sha256: and 64 hexadecimal digits"],
    ),
    "no_digest": (
        'environment = "prod"',
        ["prod runs images by digest only", "give image_digests, {litellm", "images.litellm.digest"],
    ),
    "location": ('location = "South Africa North"', ["'South Africa North'", "such as southafricanorth"]),
    "secret_name": (
        'secrets = { client-nobody-a = "x" }',
        ["may have azure-openai-endpoint, azure-openai-key, client-acceptance-a"],
    ),
    "key": ('secrets = { client-roo-a = "hunter2" }', ["at least 32 letters", "secrets.token_urlsafe(32)"]),
    "endpoint": (
        'secrets = { azure-openai-endpoint = "https://contoso.openai.azure.com/openai" }',
        ["https://NAME.openai.azure.com, without a path"],
    ),
}


@pytest.fixture(scope="module")
def own(module: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The module once more, to put tests into that fail."""
    copy = tmp_path_factory.mktemp("own")
    shutil.copytree(module.folder.parents[1], copy / "infra", symlinks=True)
    return Terraform(copy / MODULE)


def _write(own: Terraform, name: str, source: str, runs: str) -> str:
    """A test file with the variables of another, and these runs."""
    head = _read(f"tests/{source}").partition("\nrun ")[0]
    (own.folder / "tests" / name).write_text(f"{head}\n{runs}\n", encoding="utf-8")
    return f"tests/{name}"


def test_what_is_refused_is_told_what_to_write_instead(own: Terraform) -> None:
    run = 'run "bad" {{\n command = plan\n module {{\n source = "./tests/inputs"\n }}\n variables {{\n {} \n }}\n}}'
    files = {
        _write(own, f"{name}.tftest.hcl", REFUSED_INPUTS, run.format(written)): said
        for name, (written, said) in BAD_INPUT.items()
    }
    own.init()
    done = own.test(*files)
    for file, said in files.items():
        complaint = " ".join(done.complaints.get(file, "").split())
        assert done.statuses[file, "bad"] == "error"
        for words in said:
            assert words in complaint, f"{file}: {complaint}"
        assert "hunter2" not in complaint


def test_a_secret_that_is_to_be_written_has_to_be_given(own: Terraform) -> None:
    run = """run "missing" {
  variables {
    secrets = merge(
      { for name in keys(var.secret_versions) : name => sha256(name) },
      { for name in values(var.client_keys) : name => sha256(name) if name != "client-roo-a" },
      { azure-openai-endpoint = "https://contoso.openai.azure.com" },
    )
  }
}"""
    file = _write(own, "missing.tftest.hcl", "deployment.tftest.hcl", run)
    done = own.test(file)
    assert done.statuses[file, "missing"] == "error"
    complaint = " ".join(done.complaints[file].split())
    assert (
        "The secret client-roo-a is to be written, and the variable secrets has no value for it" in complaint
    )
    assert "client-qoder-a" not in complaint


def test_a_rule_that_is_taken_away_is_missed(own: Terraform) -> None:
    """The refusals would notice: without a validation, its run does not fail as it should."""
    path = own.folder / "tests" / "inputs" / "variables.tf"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    path.write_text(text.replace("length(var.names.key_vault) <= 24", "length(var.names.key_vault) <= 240"))
    done = own.test(f"tests/{REFUSED_INPUTS}")
    # Terraform skips what comes after.
    assert next(run for (_, run), status in done.statuses.items() if status != "pass") == "name_of_key_vault"
