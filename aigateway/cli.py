"""The command line: it reads arguments, calls the package and prints; nothing is decided here."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from aigateway.acceptance.budget import DEFAULT_TOKENS
from aigateway.acceptance.profiles import Profile
from aigateway.acceptance.results import TargetName
from aigateway.bootstrap import Part
from aigateway.clients import Client
from aigateway.doctor.clients import DEFAULT_TOKENS as DEFAULT_DOCTOR_TOKENS
from aigateway.doctor.clients import ClientName
from aigateway.errors import AigatewayError
from aigateway.launching.choice import LauncherChoice
from aigateway.settings.loading import find_root, list_environments
from aigateway.settings.model import Settings
from aigateway.signals import resend_lost_interrupts

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
# Lines are not wrapped: what is printed is there to be pasted.
output = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

# What no program can put right, wherever it strikes.
_MACHINE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}

Environment = Annotated[str, typer.Argument(metavar="[ENV]", help="dev, staging or prod")]
Environments = Annotated[list[str] | None, typer.Argument(metavar="[ENV]...", help="default: all of them")]
Launcher = Annotated[
    LauncherChoice, typer.Option(help="how to run the gateway; auto: containers where Docker answers")
]


def main() -> None:
    """Run the command line; a person's mistake ends in one message and an exit code, never in a traceback."""
    resend_lost_interrupts()
    try:
        # Typer's own way to say what is wrong with the arguments is a box around broken lines.
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        # There is none where no argument was given, and the help was shown.
        if message := error.format_message().replace("Value error, ", ""):
            errors.print(f"error: {message}", markup=False)
        sys.exit(AigatewayError.exit_code)
    except AigatewayError as error:
        errors.print(f"error: {error}", markup=False)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _MACHINE_ERRORS:
            raise
        errors.print(f"error: {error.filename or 'a file'}: {error.strerror}", markup=False)
        sys.exit(AigatewayError.exit_code)


@app.command()
def render(
    environments: Environments = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="fail if a file is stale; write nothing")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="show what would change; write nothing")] = False,
) -> None:
    """Render each environment's configs and Terraform variables from its gateway.yaml."""
    from aigateway.rendering.checking import check_envoy
    from aigateway.rendering.renderer import render_environment
    from aigateway.rules import require_clean

    root = find_root(Path.cwd())
    # All of them before any is written: a mistake in one leaves every file as it was.
    renderings = [render_environment(root, name) for name in environments or list_environments(root)]
    for rendering in renderings:
        require_clean(rendering)
    stale = [text for rendering in renderings for text in rendering.find_stale()]
    if check or diff:
        for text in stale:
            sys.stdout.write(text)
        if check and stale:
            raise AigatewayError(
                f"{len(stale)} rendered files are stale or edited by hand; run: aigateway render"
            )
        return
    if stale:
        check_envoy(renderings, errors)
    for rendering in renderings:
        for path in rendering.write():
            output.print(f"wrote {path.relative_to(root)}")


@app.command()
def lint(environments: Environments = None) -> None:
    """Refuse a config with a setting that would be ignored, fail open, leak, or not be enforced."""
    from aigateway.rendering.renderer import render_environment
    from aigateway.rules import RULES, require_clean

    root = find_root(Path.cwd())
    for name in environments or list_environments(root):
        require_clean(render_environment(root, name))
        output.print(f"{name}: {len(RULES)} rules, no violation")


@app.command()
def docs(*, check: Annotated[bool, typer.Option("--check", help="fail if a page is stale")] = False) -> None:
    """Write the pages of docs/ that are generated from the code."""
    from aigateway.documents import find_stale_documents, write_documents

    root = find_root(Path.cwd())
    if check:
        stale = find_stale_documents(root)
        if stale:
            raise AigatewayError(f"stale: {', '.join(stale)}; run: aigateway docs")
        return
    for name in write_documents(root):
        output.print(f"wrote {name}")


@app.command()
def scan(
    environments: Environments = None,
    *,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="scan this plan too: of `terraform plan -out`, or its JSON"),
    ] = None,
) -> None:
    """Look for what is unsafe in the infrastructure, the workflows and the files, before each apply; offline."""
    from aigateway.scanning.results import tabulate
    from aigateway.scanning.run import scan as scan_environments

    root = find_root(Path.cwd())
    results = scan_environments(root, environments or list_environments(root), plan, errors)
    # What all of them share is told once.
    told = {finding: None for result in results for finding in result.findings}
    output.print(tabulate(told))
    for result in results:
        output.print(result.summary, style="bold green" if result.clean else "bold red")
    output.print("build/scan/ENV/: result.json, results.sarif, junit.xml", style="dim")
    sys.exit(0 if all(result.clean for result in results) else 1)


@app.command()
def history() -> None:
    """Look for keys in every commit that the repository has, removed ones too."""
    from aigateway.scanning.history import find_leaks

    leaks = find_leaks(find_root(Path.cwd()))
    for leak in leaks:
        output.print(str(leak), markup=False)
    if leaks:
        output.print(
            f"{len(leaks)} in the history: replace each key first, for everybody who has the repository has read "
            "it; then take it out with git-filter-repo",
            style="bold red",
        )
        sys.exit(1)
    output.print("no key in the history")


@app.command()
def secrets(
    environment: Environment = "dev",
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="default: every secret of the environment")
    ] = None,
) -> None:
    """Make new values for an environment's secrets, for Terraform: export TF_VAR_secrets="$(aigateway secrets dev)"."""
    import json
    import os

    from aigateway.secret_values import make_secrets
    from aigateway.settings.loading import load_environment

    settings = load_environment(find_root(Path.cwd()), environment)
    values = make_secrets(settings, names or [], os.environ)
    if sys.stdout.isatty():
        command = " ".join(("aigateway secrets", environment, *(names or [])))
        raise AigatewayError(f'secrets are not shown on a screen; run: export TF_VAR_secrets="$({command})"')
    sys.stdout.write(json.dumps(values) + "\n")


@app.command("bootstrap")
def prepare_environment(
    part: Annotated[Part, typer.Argument(metavar="PART", help="state, identity, github or all")],
    environment: Annotated[str, typer.Argument(metavar="ENV", help="dev, staging or prod")],
    *,
    plan: Annotated[bool, typer.Option("--plan", help="say what would change; change nothing")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="say what is missing or differs; change nothing")
    ] = False,
    repository: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="default: the repository of this folder")
    ] = "",
    reviewer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USER|ORG/TEAM", help="who approves deployments to staging and prod; repeatable"
        ),
    ] = None,
    openai_account: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="the account of Azure OpenAI, whose endpoint and key an apply asks for"
        ),
    ] = "",
    openai_group: Annotated[str, typer.Option(metavar="GROUP", help="the account's resource group")] = "",
) -> None:
    """Make what Azure and GitHub need before an environment can be deployed; only what is missing is made."""
    from aigateway.bootstrap.openai import read_account
    from aigateway.bootstrap.parts import bootstrap
    from aigateway.bootstrap.steps import Mode

    if plan and verify:
        raise AigatewayError("--plan and --verify are two questions; ask one of them")
    mode = Mode.PLAN if plan else Mode.VERIFY if verify else Mode.CHANGE

    def say(line: str) -> None:
        output.print(line, markup=False)

    outcome = bootstrap(
        find_root(Path.cwd()),
        part,
        environment,
        mode,
        say,
        repository=repository,
        reviewers=reviewer or (),
        account=read_account(openai_account, openai_group),
    )
    say(f"{environment}: {outcome}")
    sys.exit(0 if outcome.good else 1)


@app.command()
def sim(
    environment: Environment = "dev",
    *,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port of Azure; 0: a free one", min=0, max=65535)] = 0,
    control_port: Annotated[int, typer.Option(help="port to script it; 0: a free one", min=0, max=65535)] = 0,
) -> None:
    """Run the simulated Azure OpenAI that an environment expects, until Ctrl-C."""
    from secrets import token_hex

    from aigateway.launching.stack import describe_simulator
    from aigateway.settings.loading import load_environment
    from aigateway.simulator.server import Addresses, serve

    settings = load_environment(find_root(Path.cwd()), environment)
    key = token_hex(16)

    def announce(addresses: Addresses) -> None:
        azure = settings.azure
        output.print(
            f"simulated Azure OpenAI of {environment}: {addresses.url}\n"
            f"  api-key      {key}\n"
            f"  responses    {azure.responses.deployment}, api-version {azure.responses.api_version}\n"
            f"  embeddings   {azure.embeddings.deployment}, api-version {azure.embeddings.api_version}\n"
            f"  control      {addresses.control_url}\n"
            "Ctrl-C stops it."
        )

    serve(describe_simulator(settings, key), host, port, "127.0.0.1", control_port, announce)


@app.command()
def up(
    environment: Environment = "dev",
    *,
    launcher: Launcher = "auto",
    port: Annotated[int, typer.Option(help="port of the gateway; 0: a free one", min=0, max=65535)] = 0,
) -> None:
    """Run the gateway with a simulated Azure behind it, until Ctrl-C."""
    from aigateway.launching.session import describe_access, run_until_stopped
    from aigateway.rendering.renderer import render_environment

    root = find_root(Path.cwd())
    rendering = render_environment(root, environment)
    rendering.require_current()
    run_until_stopped(
        root, rendering, launcher, port, errors, lambda stack: output.print(describe_access(stack))
    )


@app.command("rehearse")
def rehearse_indexing(
    folder: Annotated[Path, typer.Argument(metavar="PATH", help="the folder that is open in the editor")],
    environment: Environment = "dev",
    *,
    quota: Annotated[
        str,
        typer.Option(
            metavar="TPM[/RPM]", help="of Azure's deployment, such as 350k/2100; default: the settings'"
        ),
    ] = "",
    within: Annotated[
        float, typer.Option(metavar="MINUTES", min=0.1, help="say what it takes to be done in so long")
    ] = 10,
    at_most: Annotated[
        float, typer.Option(metavar="MINUTES", min=0.05, help="send for so long, and extrapolate the rest")
    ] = 5,
    client: Annotated[
        str, typer.Option(metavar="NAME", help="whose limits; default: roo, or the first")
    ] = "",
    count: Annotated[bool, typer.Option("--count", help="only count; send nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of text")] = False,
    launcher: Launcher = "auto",
) -> None:
    """Index a folder as Roo Code does, through the gateway to a simulated Azure: how long, or would it abort?"""
    from aigateway.rehearsing.quota import choose_quota
    from aigateway.rehearsing.run import Order, count_only, rehearse, save
    from aigateway.rehearsing.summary import describe_rehearsal, describe_verdict
    from aigateway.rendering.renderer import render_environment

    root = find_root(Path.cwd())
    rendering = render_environment(root, environment)
    rendering.require_current()
    limit = choose_quota(quota, rendering.settings)
    order = Order(root, environment, folder, limit, client, within, at_most, launcher)
    try:
        found = count_only(order, rendering.settings, errors) if count else rehearse(order, rendering, errors)
    except KeyboardInterrupt:
        errors.print("stopped before anything was known", style="yellow")
        sys.exit(130)
    stopped = not count and (found.measured is None or found.measured.end == "stopped")
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        for line in describe_rehearsal(found):
            output.print(line, markup=False)
        output.print(describe_verdict(found), style="bold green" if found.good or count else "bold red")
    if not count:
        # After it was told: a full disk does not make it unknown.
        save(found, order.result_path)
    if not (count or as_json):
        output.print(str(order.result_path.relative_to(root)), style="dim")
    sys.exit(130 if stopped else 0 if found.good or count else 1)


@app.command("clients")
def connect_clients(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="dev, staging or prod")],
    *,
    client: Annotated[Client | None, typer.Option(help="only this client's; default: all of them")] = None,
    base_url: Annotated[
        str, typer.Option(help="the gateway's address; default: where the deployed one was tried")
    ] = "",
    write: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="write the files there instead of printing them")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="with --write: overwrite what says something else")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print all of it as JSON")] = False,
) -> None:
    """Print the settings that point clients at an environment's gateway, if that conforms; no key is in them.

    Files are printed to the standard output, what to do with them to the standard error.
    """
    from aigateway.clients.connection import connect
    from aigateway.clients.kit import write_kits

    if as_json and write:
        raise AigatewayError("--json prints and --write writes; give one of them")
    if force and not write:
        raise AigatewayError("--force is about what --write overwrites; give that as well")
    root, settings = _load_current(environment)
    connection = connect(root, settings, client, base_url)
    if as_json:
        sys.stdout.write(connection.model_dump_json(indent=2) + "\n")
        return
    if write:
        written = write_kits(connection.kits, write, force=force)
        for path in written:
            output.print(f"wrote {path}", markup=False)
        if not written:
            output.print(f"{write}: all of it is there already", markup=False)
    else:
        sys.stdout.write(connection.render_files())
    errors.print(connection.render_guides(), markup=False)


@app.command()
def prove(
    environment: Environment = "dev",
    *,
    launcher: Launcher = "auto",
    profile: Annotated[Profile, typer.Option(help="the scenarios that have to notice")] = "core",
    keyword: Annotated[str, typer.Option("-k", help="only sabotages with this in their title")] = "",
    shard: Annotated[
        str, typer.Option(metavar="K/N", help="only the K-th of N parts, which several machines share")
    ] = "",
) -> None:
    """Break the gateway in every way of the catalogue, and see whether the scenarios notice."""
    from aigateway.launching.choice import choose_launcher
    from aigateway.promotion.soundness import find_sound
    from aigateway.proving.run import Order, Shard, list_survivors
    from aigateway.proving.run import prove as try_sabotages
    from aigateway.rendering.renderer import render_environment

    root = find_root(Path.cwd())
    part = Shard.read(shard) if shard else None
    rendering = render_environment(root, environment)
    rendering.require_current()
    chosen = choose_launcher(launcher, rendering.settings, errors)
    order = Order(root, environment, chosen.name, profile, keyword, part)
    sound = find_sound(root, rendering.settings, chosen.name)
    result = try_sabotages(order, errors, sound)
    for survivor in list_survivors(result):
        output.print(survivor, markup=False)
    output.print(result.summary, style="bold green" if result.proven else "bold red")
    output.print(str(order.path.relative_to(root)), style="dim")
    sys.exit(0 if result.proven else 1)


@app.command()
def accept(
    environment: Environment = "dev",
    *,
    launcher: Launcher = "auto",
    target: Annotated[
        TargetName, typer.Option(help="a gateway that this starts, or a deployed one")
    ] = "local",
    base_url: Annotated[
        str, typer.Option(help="the deployed one's address; default: Terraform's output base_url")
    ] = "",
    workspace: Annotated[
        str, typer.Option(metavar="ID", help="the Log Analytics workspace that its logs go to")
    ] = "",
    token_budget: Annotated[
        int | None,
        typer.Option(metavar="N", help=f"tokens that it may cost; when deployed: {DEFAULT_TOKENS}"),
    ] = None,
    profile: Annotated[
        Profile, typer.Option(help="core: what promotion needs; full: all; or one client's")
    ] = "core",
    keyword: Annotated[str, typer.Option("-k", help="words of scenarios' names, or pytest's -k")] = "",
    tags: Annotated[str, typer.Option("-m", help="only scenarios with these tags, as pytest's -m")] = "",
    revision: Annotated[
        str, typer.Option(help="the deployed one's revision; default: the one that serves, says Azure")
    ] = "",
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the plan that was applied, for the evidence")
    ] = None,
    scan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="the scan's result; default: build/scan/ENV/result.json"),
    ] = None,
) -> None:
    """Run the acceptance features against the gateway, and say whether it conforms.

    A deployed one's key is AIGATEWAY_KEY, or the first client's in the Key Vault.
    """
    import os

    from aigateway.acceptance.features import list_scenarios
    from aigateway.acceptance.findings import EVIDENCE_FILE, Findings
    from aigateway.acceptance.run import Order, list_failures, list_flaky, tabulate
    from aigateway.acceptance.run import accept as run_features
    from aigateway.promotion.gathering import gather, observe
    from aigateway.promotion.origin import read_origin
    from aigateway.proving.catalogue import index_by_scenario, load_sabotages
    from aigateway.rendering.renderer import render_environment
    from aigateway.reporting.writing import write_reports
    from aigateway.rules import require_clean

    root = find_root(Path.cwd())
    rendering = render_environment(root, environment)
    rendering.require_current()
    require_clean(rendering)
    order = Order(
        root,
        environment,
        launcher,
        target,
        base_url,
        profile,
        keyword,
        tags,
        workspace,
        token_budget,
        revision,
    )
    circumstances = observe(root, rendering.settings, plan, scan, read_origin(os.environ))
    if circumstances.unscanned:
        errors.print(
            f"the evidence will have no scan: {circumstances.unscanned}", markup=False, style="yellow"
        )

    def report(findings: Findings) -> None:
        # What is wrong with the sabotages is for `prove` to say; it changes nothing of what was found here.
        try:
            turned_red = index_by_scenario(load_sabotages(root, list_scenarios(root)))
        except AigatewayError:
            turned_red = {}
        write_reports(findings, turned_red)

    result = run_features(order, errors, report)
    for line in (*list_flaky(result), *list_failures(result, order)):
        output.print(line, markup=False)
    output.print(tabulate(result))
    output.print(result.summary, style="bold green" if result.conformant else "bold red")
    try:
        gather(circumstances, result).save(order.folder / EVIDENCE_FILE)
    except AigatewayError as error:
        # The verdict stands all the same; only nothing can be promoted with it.
        errors.print(f"no {EVIDENCE_FILE}: {error}", markup=False, style="yellow")
    output.print(
        f"{order.folder.relative_to(root)}/: report.html, summary.md, result.json, evidence.json, junit.xml, "
        "cucumber.json",
        style="dim",
    )
    sys.exit(0 if result.conformant else 1)


@app.command("upgrade")
def try_upgrade(
    version: Annotated[
        str, typer.Argument(metavar="LITELLM_VERSION", help="a version on PyPI such as 1.106.2, or latest")
    ],
    environment: Environment = "dev",
    *,
    profile: Annotated[Profile, typer.Option(help="the scenarios that both have to show")] = "core",
    keyword: Annotated[str, typer.Option("-k", help="words of scenarios' names, or pytest's -k")] = "",
    with_proof: Annotated[bool, typer.Option("--prove", help="sabotage both, too")] = False,
    require_signature: Annotated[
        bool, typer.Option("--require-signature", help="fail where the image's signature cannot be checked")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="when it conforms, change the checkout to it; all files or none")
    ] = False,
) -> None:
    """Try another LiteLLM beside the present one, and say what it does otherwise; the checkout is left alone."""
    from aigateway.upgrading.candidate import read_version
    from aigateway.upgrading.run import Order, upgrade
    from aigateway.upgrading.summary import render_summary

    root = find_root(Path.cwd())
    order = Order(root, version, environment, profile, keyword, with_proof, require_signature, write)
    result = upgrade(order, errors)
    if result is None:
        output.print("this checkout has that LiteLLM already; there is nothing to compare")
        return
    output.print(render_summary(result), markup=False)
    output.print(result.summary, style="bold green" if result.conformant else "bold red")
    folder = order.locate(read_version(result.candidate.version)).relative_to(root)
    output.print(f"{folder}/: summary.md, result.json, present/, candidate/", style="dim")
    sys.exit(0 if result.conformant else 1)


@app.command()
def doctor(
    environment: Annotated[
        str,
        typer.Argument(metavar="[ENV]", help="take what is expected from its settings; none: the defaults"),
    ] = "",
    *,
    base_url: Annotated[str, typer.Option(metavar="URL", help="as the client has it, with or without /v1")],
    client: Annotated[
        ClientName | None, typer.Option(help="try this client's own requests and traps, too")
    ] = None,
    model: Annotated[str, typer.Option(help="as the client has it; default: the settings'")] = "",
    embedding_model: Annotated[str, typer.Option(help="as the client has it; default: the settings'")] = "",
    dimensions: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="of the client's index; default: the model's")
    ] = None,
    token_budget: Annotated[
        int, typer.Option(metavar="N", help="tokens that it may cost at most")
    ] = DEFAULT_DOCTOR_TOKENS,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of text")] = False,
) -> None:
    """Find out, from this machine, why a client cannot use a gateway; needs the client's key as AIGATEWAY_KEY."""
    import os

    from aigateway.doctor.question import find_expectations, put_question
    from aigateway.doctor.results import list_lines
    from aigateway.doctor.run import diagnose

    expected = find_expectations(environment, model, embedding_model, dimensions)
    question = put_question(base_url, expected, client, token_budget, os.environ)
    with errors.status(f"looking at {question.address.root}") as status:
        diagnosis = diagnose(
            question, lambda result: status.update(f"looking at {question.address.root}: {result.title}")
        )
    if as_json:
        sys.stdout.write(diagnosis.model_dump_json(indent=2) + "\n")
    else:
        for line in list_lines(diagnosis):
            output.print(line, markup=False)
        output.print(diagnosis.summary, style="bold red" if diagnosis.exit_code else "bold green")
    sys.exit(diagnosis.exit_code)


@app.command()
def pin(
    environment: Environment = "dev",
    *,
    evidence: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="take over what ran there, and ask no registry; for staging and prod"
        ),
    ] = None,
    deployed: Annotated[
        bool, typer.Option("--deployed", help="take over what is deployed, if it is of the settings' tag")
    ] = False,
) -> None:
    """Write down which digests both images' tags stand for, where Terraform reads it."""
    from aigateway.delivery.planning import find_running
    from aigateway.promotion.images import write_pins
    from aigateway.promotion.pinning import find_digests
    from aigateway.settings.loading import load_environment

    root = find_root(Path.cwd())
    settings = load_environment(root, environment)
    if evidence and deployed:
        raise AigatewayError("--evidence and --deployed each say what ran; give one of them")
    running = find_running(root, settings) if deployed else None
    digests = find_digests(settings, evidence, running)
    path = write_pins(root, settings, digests)
    for part, digest in digests.items():
        output.print(f"{part}: {digest}")
    output.print(f"wrote {path.relative_to(root)}", style="dim")


@app.command()
def gate(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="staging or prod")],
    *,
    evidence: Annotated[
        list[Path], typer.Option(metavar="FILE", help="evidence.json of the environment before")
    ],
    explain: Annotated[
        bool, typer.Option("--explain", help="say what to do where a rule does not hold")
    ] = False,
    repository: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="default: this job's on GitHub, or Git's origin")
    ] = "",
    allow_unattested: Annotated[
        bool, typer.Option("--allow-unattested", help="on a laptop: do not ask GitHub who made the evidence")
    ] = False,
) -> None:
    """Say whether what this checkout has may be deployed to an environment: was it proven in the one before?"""
    import os

    from aigateway.promotion.attestation import run_command
    from aigateway.promotion.gate import judge
    from aigateway.promotion.questions import put_question
    from aigateway.promotion.verdicts import list_differences, list_findings, render_markdown, summarize
    from aigateway.reporting.job_page import append_to_job_page

    root = find_root(Path.cwd())
    run = None if allow_unattested else run_command
    judgement = judge(put_question(root, environment, evidence, repository, os.environ, run))
    for line in list_findings(judgement, explain=explain):
        output.print(line, markup=False)
    output.print("settings that differ from the environment before:", style="dim")
    for line in list_differences(judgement):
        output.print(line, markup=False)
    good = "bold green" if judgement.is_attested else "bold yellow"
    output.print(summarize(judgement), style=good if judgement.is_open else "bold red")
    append_to_job_page(render_markdown(judgement))
    sys.exit(0 if judgement.is_open else 1)


@app.command()
def plan(
    environment: Environment = "dev",
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="default: build/deploy/ENV/plan.tfplan")
    ] = None,
) -> None:
    """Plan, with Terraform, what a deployment would change; it needs a login to Azure, and changes nothing."""
    from aigateway.delivery.planning import locate_plan, make_plan
    from aigateway.reporting.job_page import append_to_job_page

    root, settings = _load_current(environment)
    path = out or locate_plan(root, environment)
    changes = make_plan(root, settings, path)
    output.print(f"{environment}: {changes.summary}")
    output.print(f"wrote {path}", style="dim", markup=False)
    append_to_job_page(changes.render_markdown(f"Plan of {environment}"))


@app.command()
def apply(
    environment: Environment = "dev",
    *,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="default: build/deploy/ENV/plan.tfplan")
    ] = None,
) -> None:
    """Carry out a plan as it stands, with values for the secrets that it writes, and wait until that is served.

    Keys are made here, at random. Azure's endpoint and key are AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_KEY, or asked of
    the account that AZURE_OPENAI_ACCOUNT and AZURE_OPENAI_GROUP name.
    """
    from aigateway.delivery.planning import locate_plan
    from aigateway.delivery.rollout import apply_plan

    root, settings = _load_current(environment)
    revision = apply_plan(root, settings, plan or locate_plan(root, environment), errors)
    output.print(f"{environment}: {revision} serves", style="bold green")


@app.command()
def rollback(environment: Environment = "dev") -> None:
    """Take the app back to the revision that served before the last apply, as a new revision like it."""
    from aigateway.delivery.rollout import roll_back
    from aigateway.reporting.job_page import append_to_job_page

    root, settings = _load_current(environment)
    revision = roll_back(root, settings, errors)
    said = f"{environment}: was taken back; {revision} serves"
    output.print(said, style="bold yellow", markup=False)
    append_to_job_page(f"**{said}**\n")


@app.command()
def drift(
    environment: Environment = "dev",
    *,
    tried: Annotated[
        Path | None, typer.Option(metavar="FILE", help="result.json of trying it, which counts as well")
    ] = None,
    issue: Annotated[
        bool, typer.Option("--issue", help="open an issue on GitHub, or bring it up to date, or close it")
    ] = False,
    repository: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="default: this job's on GitHub, or Git's origin")
    ] = "",
) -> None:
    """Say whether what is deployed is what this checkout would deploy."""
    import os

    from aigateway.delivery.drift import Drift, read_tried, tell
    from aigateway.delivery.planning import locate_plan, make_plan
    from aigateway.promotion.origin import find_repository, read_origin
    from aigateway.reporting.job_page import append_to_job_page

    root, settings = _load_current(environment)
    result, untried = read_tried(tried)
    changes = make_plan(root, settings, locate_plan(root, environment))
    found = Drift(environment, changes, result, read_origin(os.environ).run_url, untried)
    append_to_job_page(found.render_markdown())
    output.print(found.summary, markup=False, style="bold red" if found.found else "bold green")
    if issue:
        output.print(tell(found, find_repository(root, os.environ, repository)), markup=False)
    sys.exit(1 if found.found else 0)


def _load_current(environment: str) -> tuple[Path, Settings]:
    """The checkout and the settings of an environment, whose files are as they are rendered."""
    from aigateway.rendering.renderer import render_environment
    from aigateway.rules import require_clean

    root = find_root(Path.cwd())
    rendering = render_environment(root, environment)
    rendering.require_current()
    require_clean(rendering)
    return root, rendering.settings


@app.command()
def bench(
    environment: Environment = "dev",
    *,
    base_url: Annotated[
        str, typer.Option(help="measure the gateway that runs there, with the key AIGATEWAY_KEY")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="about a minute: fewer rounds, no leak test")
    ] = False,
    vcpu: Annotated[
        float | None, typer.Option(min=0.1, max=64, help="processors of LiteLLM's container; needs root")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="compare this too, or several joined by +, or all; repeatable"),
    ] = None,
    variants: Annotated[
        Path | None, typer.Option(metavar="FILE", help="where variants stand; default: the package's own")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="leave out the other subjects; repeatable"),
    ] = None,
    workload: Annotated[
        list[str] | None, typer.Option(help="only this: responses, stream, embeddings or refusal; repeatable")
    ] = None,
    users: Annotated[
        list[int] | None, typer.Option(min=1, max=10_000, help="at once; default: 1, 10 and 50; repeatable")
    ] = None,
    starts: Annotated[int | None, typer.Option(min=1, max=100, help="default: 3")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, max=100, help="default: 5")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.2, max=600, help="of each load in each round; default: 3")
    ] = None,
    requests: Annotated[
        int | None, typer.Option(min=0, help="after which memory is compared; default: 10,000")
    ] = None,
    token_budget: Annotated[
        int, typer.Option(metavar="N", min=1, help="tokens that a running gateway may cost")
    ] = 1_000_000,
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="processes that send the load; 0: one, which is enough here")
    ] = 0,
    listen: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=0, max=65535, help="have the workers join here, from other machines"
        ),
    ] = 0,
    join: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="be such a worker, with AIGATEWAY_KEY; nothing else is done"),
    ] = "",
    document: Annotated[
        str, typer.Option(metavar="NAME", help="put the result into docs/performance.md, under this name")
    ] = "",
) -> None:
    """Measure what the gateway costs: latency, throughput, start, memory; beside LiteLLM's stock config."""
    from aigateway.benchmarking.ordering import Wishes, join_load, read_order
    from aigateway.benchmarking.run import INTERRUPTED, list_lines
    from aigateway.benchmarking.run import bench as measure
    from aigateway.benchmarking.writing import write_result
    from aigateway.rendering.renderer import render_environment

    root = find_root(Path.cwd())
    if join:
        sys.exit(join_load(join, errors))
    wishes = Wishes(
        quick=quick,
        vcpu=vcpu,
        variants=tuple(variant or ()),
        catalogue=variants,
        only=tuple(only or ()),
        workloads=tuple(workload or ()),
        users=tuple(users or ()),
        starts=starts,
        rounds=rounds,
        seconds=seconds,
        requests=requests,
        base_url=base_url,
        token_budget=token_budget,
        workers=workers,
        listen=listen,
        document=document,
    )
    order = read_order(root, environment, wishes, sys.argv[1:])
    rendering = render_environment(root, environment)
    rendering.require_current()
    result = measure(order, rendering, errors)
    for line in list_lines(result):
        output.print(line, markup=False)
    output.print(result.summary, style="bold green" if result.sound else "bold red", markup=False)
    for path in write_result(root, result, document):
        output.print(f"wrote {path.relative_to(root)}", style="dim")
    if not result.complete:
        sys.exit(130 if result.problem == INTERRUPTED else AigatewayError.exit_code)
    sys.exit(0 if result.sound else 1)


@app.command()
def parity(
    local: Annotated[Path, typer.Argument(metavar="LOCAL.json", help="result.json of a local run")],
    deployed: Annotated[Path, typer.Argument(metavar="DEPLOYED.json", help="result.json of a deployed one")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Say, scenario by scenario, where a local and a deployed gateway differ."""
    from aigateway.acceptance.parity import compare, read_run, tabulate_parity

    found = compare(read_run(local, "local"), read_run(deployed, "deployed"))
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        output.print(tabulate_parity(found))
        output.print(found.summary, style="bold green" if found.holds else "bold red")
    sys.exit(0 if found.holds else 1)
