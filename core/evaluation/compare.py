"""Runs side by side: what differs in their settings, and whether their accuracies differ by more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from core.config import SETTINGS, TrainConfig, shown
from core.errors import UserError
from core.runs.events import Interval
from core.runs.folder import RunFolder, RunSummary

# Below so many pictures on which two models disagree, the chi-squared distribution is not close enough.
LEAST_FOR_CHI_SQUARED = 25
# What is less likely than this by chance counts as more than chance.
SIGNIFICANT = 0.05

# Whether each test picture was answered right; a picture is its place in the data and its content.
Judged = Mapping[tuple[str, str], bool]


class McNemar(msgspec.Struct, frozen=True, kw_only=True):
    """Two models on the same pictures, and how likely such a difference is when they are equally good."""

    pictures: int
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    p: float
    method: Literal["exact", "chi-squared"]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """The second accuracy minus the first, with its 95 % interval."""

    difference: float
    low: float
    high: float


class Versus(msgspec.Struct, frozen=True, kw_only=True):
    """How the run `second` stands against the run `first`, both by their place among those compared.

    `paired` is about the test pictures that both have, `unpaired` stands where they do not have all.
    `p` is that of `paired`, corrected when several runs are held against the first.
    """

    first: int
    second: int
    same_pictures: bool
    paired: McNemar | None
    unpaired: Gap | None
    p: float | None
    verdict: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that is not the same in all runs, and its value in each."""

    setting: str
    values: list[str]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Runs side by side; each is held against the first."""

    runs: list[RunSummary]
    settings: list[Difference]
    versus: list[Versus]


def compare(runs: Sequence[RunFolder]) -> Comparison:
    """Compare `runs`, each with the first.

    Raises:
        UserError: there are fewer than two, or one cannot be read.
    """
    if len({run.path for run in runs}) < max(len(runs), 2):
        raise UserError("It takes two different runs to compare.", "Choose another run.")
    summaries = [_summary(run) for run in runs]
    differences = settings_difference([run.config() for run in runs])
    judged = [_judged(run) for run in runs]
    versus = [_held_against(judged, summaries, second) for second in range(1, len(runs))]
    return Comparison(runs=summaries, settings=differences, versus=_corrected(versus))


def _summary(run: RunFolder) -> RunSummary:
    try:
        return run.summary()
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"The run {run.name} cannot be read.", "Perhaps it was deleted.") from error


def _judged(run: RunFolder) -> Judged:
    """Return what was answered right; without a hash a picture is only itself in the same data folder."""
    digests, data = run.test_digests(), run.config().data
    return {
        (answer.path, digests.get(answer.path, data)): answer.label == answer.truth
        for answer in run.test_answers()
    }


def settings_difference(configs: Sequence[TrainConfig]) -> list[Difference]:
    """Return the settings, the data first, that are not the same in all `configs`."""
    rows = (
        Difference(setting=name, values=[shown(getattr(config, name)) for config in configs])
        for name in ("data", *SETTINGS, "out")
    )
    return [row for row in rows if len(set(row.values)) > 1]


def mcnemar(first: Judged, second: Judged) -> McNemar:
    """Return McNemar's test on the pictures that both have been asked.

    Only pictures on which exactly one is right tell the models apart; were both equally good, they
    would fall to either side like coins. Up to 24 of them the binomial distribution is taken as it
    is, from then on chi-squared with continuity correction (McNemar, Psychometrika 1947; Edwards,
    Psychometrika 1948; recommended for a single training of each by Dietterich, Neural Computation
    1998, section 3.1).
    """
    both = first.keys() & second.keys()
    right = sum(first[key] and second[key] for key in both)
    b = sum(first[key] and not second[key] for key in both)
    c = sum(second[key] and not first[key] for key in both)
    exact = b + c < LEAST_FOR_CHI_SQUARED
    return McNemar(
        pictures=len(both),
        both_right=right,
        only_first=b,
        only_second=c,
        both_wrong=len(both) - right - b - c,
        p=_binomial_p(b, c) if exact else _chi_squared_p(b, c),
        method="exact" if exact else "chi-squared",
    )


def _binomial_p(b: int, c: int) -> float:
    """Return how often `b + c` fair coins fall at least as unevenly as `b` to `c`, on either side."""
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1))
    return min(1.0, math.ldexp(tail, 1 - b - c))


def _chi_squared_p(b: int, c: int) -> float:
    statistic = max(abs(b - c) - 1, 0) ** 2 / (b + c)
    # The upper tail of chi-squared with one degree of freedom is that of a squared normal variable.
    return math.erfc(math.sqrt(statistic / 2))


def gap(first: Interval, second: Interval) -> Gap:
    """Return the difference of two accuracies on different pictures, with its 95 % interval.

    Made of the two score intervals (Newcombe, Statistics in Medicine 1998, method 10). Where some
    pictures are the same it is wider than need be.
    """
    difference = second.accuracy - first.accuracy
    down = math.hypot(second.accuracy - second.low, first.high - first.accuracy)
    up = math.hypot(second.high - second.accuracy, first.accuracy - first.low)
    return Gap(difference=difference, low=difference - down, high=difference + up)


def _held_against(judged: Sequence[Judged], runs: Sequence[RunSummary], second: int) -> Versus:
    ours, theirs = judged[0], judged[second]
    tests = runs[0].test, runs[second].test
    same = bool(ours) and ours.keys() == theirs.keys()
    paired = mcnemar(ours, theirs) if ours.keys() & theirs.keys() else None
    return Versus(
        first=0,
        second=second,
        same_pictures=same,
        paired=paired,
        unpaired=gap(tests[0], tests[1]) if tests[0] and tests[1] and not same else None,
        p=paired.p if paired else None,
        verdict="",
    )


def _corrected(versus: Sequence[Versus]) -> list[Versus]:
    """Return `versus` with their verdicts, by p-values that are corrected for their number."""
    tested = [one for one in versus if one.p is not None]
    corrected = dict(
        zip((one.second for one in tested), holm(one.p or 0.0 for one in tested), strict=True)
    )
    found = (msgspec.structs.replace(one, p=corrected.get(one.second)) for one in versus)
    return [msgspec.structs.replace(one, verdict=_verdict(one)) for one in found]


def holm(ps: Iterable[float]) -> list[float]:
    """Return `ps` corrected for being several (Holm, Scandinavian Journal of Statistics 1979)."""
    given = list(ps)
    corrected = [0.0] * len(given)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(given)), key=given.__getitem__)):
        highest = max(highest, min(1.0, given[index] * (len(given) - place)))
        corrected[index] = highest
    return corrected


def _verdict(found: Versus) -> str:
    """Say in plain words what the numbers mean."""
    if found.paired is None:
        return _verdict_apart(found.unpaired)
    one, paired, p = found.second + 1, found.paired, found.p or 0.0
    where = "the same" if found.same_pictures else "the"
    shared = "" if found.same_pictures else " that both were tested on"
    counts = (
        f"Of {where} {paired.pictures:,} test pictures{shared}, run 1 alone is right on"
        f" {paired.only_first:,}, run {one} alone on {paired.only_second:,}."
    )
    if p >= SIGNIFICANT:
        return f"{counts} Such a difference may well be chance ({_chance(p)})."
    better = one if paired.only_second > paired.only_first else 1
    return f"{counts} Run {better} is better by more than chance ({_chance(p)})."


def _verdict_apart(apart: Gap | None) -> str:
    if apart is None:
        return "One of them has no test result yet: there is nothing to compare."
    interval = f"{apart.low * 100:+.1f} to {apart.high * 100:+.1f} points (95 % interval)"
    chance = "which may well be chance" if apart.low <= 0 <= apart.high else "more than chance"
    return (
        "They were tested on different pictures and cannot be compared picture by picture."
        f" The difference is {interval}, {chance} if the pictures are of one kind."
    )


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
