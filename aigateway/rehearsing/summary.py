"""A rehearsal in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from aigateway.rehearsing.results import Count, Forecast, Measured, Rehearsal

_END_WORDS = {"done": "all of it", "time": "as long as --at-most allows", "stopped": "until it was stopped"}


def describe_rehearsal(rehearsal: Rehearsal) -> Iterator[str]:
    """What was counted, measured and reckoned, line by line; the verdict is not among them."""
    yield from _describe_count(rehearsal.count)
    limit, need, quota = rehearsal.limit, rehearsal.need, rehearsal.quota
    replicas = "one replica" if limit.replicas == 1 else f"one replica of up to {limit.replicas}"
    yield (
        f"limit of {limit.client}: {limit.requests_per_minute} requests in the first minute, {limit.burst} of them at "
        f"once, then {limit.steady_requests_per_minute} a minute; {replicas}"
    )
    if quota:
        tokens, requests = quota.tokens_per_minute, quota.requests_per_minute
        yield f"quota of the simulated Azure: {tokens:,} tokens and {requests:,} requests a minute"
        usual = rehearsal.count.tokens // rehearsal.count.batches
        if usual > tokens:
            yield f"  less than one request of Roo's needs, which has about {usual:,} tokens: none can come through"
    else:
        yield (
            "quota of the simulated Azure: none; --quota TPM/RPM, or azure.embeddings.quota in the settings, sets that "
            "of your deployment"
        )
    if rehearsal.measured:
        yield from _describe_measured(rehearsal.measured)
    if rehearsal.forecast:
        yield from _describe_forecast(rehearsal.forecast)
    yield (
        f"to be done in {need.minutes:g} min it takes at least {need.tokens_per_minute:,} tokens and "
        f"{need.requests_per_minute:,} requests a minute of Azure"
    )
    if need.requests_per_minute > limit.steady_requests_per_minute:
        yield (
            f"  and of the gateway, which lets {limit.steady_requests_per_minute} through: limits.embeddings, or "
            f"clients[].limits.embeddings of {limit.client}"
        )


def _describe_count(count: Count) -> Iterator[str]:
    yield (
        f"{count.folder}: {count.files:,} files, {count.segments:,} segments, about {count.tokens:,} tokens, "
        f"{count.batches:,} requests"
    )
    others = (
        (count.unsupported, "of kinds that Roo does not index"),
        (count.too_large, "over 1 MB"),
        (count.empty, "with no segment"),
        (count.unreadable, "unreadable"),
    )
    if said := [f"{number:,} {why}" for number, why in others if number]:
        yield f"  left out: {', '.join(said)}"
    if count.cut_off:
        yield "  left out: every file after the first 50,000, which is where Roo stops, too"
    if count.approximated:
        kinds = ", ".join(f"{number:,} {extension}" for extension, number in count.approximated.items())
        yield (
            f"  approximated: {kinds}: cut by lines, where Roo has a grammar and makes several times as many, "
            "shorter segments"
        )


def _describe_measured(measured: Measured) -> Iterator[str]:
    yield (
        f"measured, {_say_time(measured.seconds)}, {_END_WORDS[measured.end]}: {measured.batches:,} batches ended, "
        f"{measured.failed_batches:,} of them given up; {measured.requests:,} requests"
    )
    yield (
        f"  429: the client saw {measured.refused:,}, {measured.refused_by_edge:,} of the edge's own and "
        f"{measured.passed_on:,} of Azure's; Azure answered {measured.azure_refused:,} of its "
        f"{measured.azure_requests:,} requests so"
    )
    if measured.longest_back_off_seconds:
        yield f"  Roo held all its requests back for up to {measured.longest_back_off_seconds:.0f} s"
    if measured.other_errors:
        yield "  " + ", ".join(
            f"{number:,} times {status}" for status, number in measured.other_errors.items()
        )
    if measured.median_answer_seconds is not None:
        yield f"  half of the answers came within {measured.median_answer_seconds:.2f} s of this machine's time"
    if measured.problem:
        yield f"  the last failure: {measured.problem}"


def _describe_forecast(forecast: Forecast) -> Iterator[str]:
    if forecast.extrapolated_seconds:
        yield (
            f"extrapolated, {_say_time(forecast.extrapolated_seconds)}: the rest at "
            f"{forecast.steady_batches_per_minute:.0f} batches a minute, as measured from "
            f"{forecast.steady_from_seconds:.0f} s on, or as the limits allow"
        )
    if forecast.caution:
        yield f"  caution: {forecast.caution}"


def describe_verdict(rehearsal: Rehearsal) -> str:
    """The one line that people want."""
    forecast = rehearsal.forecast
    if forecast is None:
        return "only counted"
    failed = f"{100 * forecast.failed_share:.0f} %"
    match forecast.verdict:
        case "finishes":
            lost = f", without the {failed} of its segments that failed" if forecast.failed_share else ""
            unlimited = "" if rehearsal.quota else ", as far as no quota of Azure's stands in the way"
            return (
                f"would finish in {_say_time(forecast.seconds or 0)}{lost}{_say_basis(forecast)}{unlimited}"
            )
        case "aborts":
            when = f" after {_say_time(forecast.seconds)}" if forecast.seconds is not None else ""
            return (
                f"would abort{when}: {failed} of the segments fail, more than Roo's 10 %; it then clears the index"
                f"{_say_basis(forecast)}"
            )
        case "refused":
            return "would not begin: the request with which Roo tries its settings failed"
        case "unknown":
            return "unknown: too little came through to say"


def _say_basis(forecast: Forecast) -> str:
    if forecast.basis == "measured":
        return " (measured)"
    mostly = forecast.extrapolated_seconds > (forecast.seconds or 0) / 2
    return " (mostly extrapolated)" if mostly else " (partly extrapolated)"


def _say_time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"
