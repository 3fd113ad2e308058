"""Runs side by side: McNemar as it is tabled, settings, and what is said where pictures differ."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from core.config import TrainConfig
from core.errors import UserError
from core.evaluation.compare import compare, gap, holm, mcnemar, settings_difference
from core.evaluation.metrics import interval
from core.runs import events as ev
from core.runs.answers import KeptAnswer
from core.runs.folder import RunFolder
from tests.core.conftest import cli

Judged = dict[tuple[str, str], bool]


def judged(both: int, first: int, second: int, none: int) -> tuple[Judged, Judged]:
    """Return two models' marks with so many pictures that both, one, or none has right."""
    marks = [(True, True)] * both + [(True, False)] * first
    marks += [(False, True)] * second + [(False, False)] * none
    keys = [(f"{number}.png", "") for number in range(len(marks))]
    ours = dict(zip(keys, (a for a, _ in marks), strict=True))
    theirs = dict(zip(keys, (b for _, b in marks), strict=True))
    return ours, theirs


def test_mcnemar_on_many_is_chi_squared_with_continuity_correction() -> None:
    # (|121 - 59| - 1)^2 / 180 = 20.672, the example of many textbooks.
    found = mcnemar(*judged(101, 121, 59, 33))
    assert found.method == "chi-squared"
    assert (found.pictures, found.both_right, found.both_wrong) == (314, 101, 33)
    assert math.isclose(found.p, 5.45e-6, rel_tol=2e-3)


def test_mcnemar_at_the_known_bound_of_chi_squared() -> None:
    # (|20 - 5| - 1)^2 / 25 = 7.84, and 7.879 has a p of 0.005.
    assert 0.0050 < mcnemar(*judged(0, 20, 5, 0)).p < 0.0052


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (6, 0, 0.03125), (9, 1, 22 / 1024), (5, 5, 1.0)],
)
def test_mcnemar_on_few_is_exact(first: int, second: int, p: float) -> None:
    found = mcnemar(*judged(50, first, second, 4))
    assert found.method == "exact"
    assert math.isclose(found.p, p)
    assert math.isclose(mcnemar(*judged(50, second, first, 4)).p, p)


def test_mcnemar_looks_at_common_pictures_only() -> None:
    ours, theirs = judged(3, 2, 0, 0)
    found = mcnemar({**ours, ("mine.png", ""): True}, {**theirs, ("yours.png", ""): False})
    assert (found.pictures, found.only_first, found.only_second) == (5, 2, 0)


def test_holm_is_as_in_its_paper() -> None:
    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_gap_of_two_accuracies_is_newcombes() -> None:
    # Newcombe 1998, table II, example (a): 56/70 - 48/80, method 10.
    found = gap(interval(48, 80), interval(56, 70))
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_only_settings_that_differ_are_named() -> None:
    first = TrainConfig(data="/a", epochs=3, freeze=True)
    second = TrainConfig(data="/a", epochs=3, learning_rate=0.001)
    found = {row.setting: row.values for row in settings_difference([first, second])}
    assert found == {"learning_rate": ["auto", "0.001"], "freeze": ["yes", "no"]}


def made(data: Path, answers: Judged, split: bool = True, **settings: object) -> RunFolder:
    """Return a finished run that has answered so."""
    run = RunFolder.create(TrainConfig(data=str(data), **settings))  # type: ignore[arg-type]
    lines = [
        KeptAnswer(
            path=path, truth="happy", label="happy" if right else "sad", probabilities=[0.9, 0.1]
        )
        for (path, _), right in answers.items()
    ]
    run.write_predictions(b"\n".join(map(msgspec.json.encode, lines)) + b"\n{torn")
    if split:
        members = [{"path": path, "label": 0, "digest": digest} for path, digest in answers]
        run.write_split(msgspec.json.encode({"data": str(data), "classes": [], "test": members}))
    test = interval(sum(answers.values()), len(answers))
    with run.writer() as log:
        log.write(
            ev.RunStarted(
                run=run.name,
                data=str(data),
                epochs=3,
                device="cpu",
                device_name="CPU",
                precision="fp32",
                pid=1,
            )
        )
        log.write(
            ev.RunEnded(
                run=run.name,
                model="m",
                seconds=1,
                images_per_second=1,
                epochs=3,
                best_epoch=3,
                validation=ev.Accuracy(accuracy=0.9),
                test=test,
            )
        )
    return run


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_two_runs_on_the_same_pictures(tmp_path: Path) -> None:
    ours, theirs = judged(80, 5, 30, 5)
    found = compare([made(tmp_path, ours, epochs=3), made(tmp_path, theirs, epochs=5)])
    (versus,) = found.versus
    assert versus.same_pictures and versus.unpaired is None and versus.paired is not None
    assert (versus.paired.only_first, versus.paired.only_second) == (5, 30)
    assert "Run 2 is better by more than chance (p < 0.001)." in versus.verdict
    assert [row.setting for row in found.settings] == ["epochs"]


def test_a_picture_with_new_content_is_another_picture(tmp_path: Path) -> None:
    ours, theirs = judged(10, 0, 6, 0)
    changed = {(path, "new" if path == "0.png" else ""): mark for (path, _), mark in theirs.items()}
    (versus,) = compare([made(tmp_path, ours), made(tmp_path, changed)]).versus
    assert not versus.same_pictures and versus.paired is not None and versus.unpaired is not None
    assert versus.paired.pictures == 15
    assert versus.verdict.startswith("Of the 15 test pictures that both were tested on")


def test_different_pictures_are_not_compared_one_by_one(tmp_path: Path) -> None:
    ours, _ = judged(90, 0, 0, 10)
    theirs = {(f"other-{path}", digest): mark for (path, digest), mark in ours.items()}
    (versus,) = compare([made(tmp_path, ours), made(tmp_path, theirs)]).versus
    assert versus.paired is None and versus.p is None and versus.unpaired is not None
    assert "cannot be compared picture by picture" in versus.verdict
    assert "may well be chance" in versus.verdict


def test_same_names_in_another_folder_are_not_the_same_pictures(tmp_path: Path) -> None:
    ours, theirs = judged(5, 1, 1, 0)
    runs = [made(tmp_path / "a", ours, split=False), made(tmp_path / "b", theirs, split=False)]
    assert compare(runs).versus[0].paired is None


def test_a_run_without_a_result_is_said_to_have_none(tmp_path: Path) -> None:
    ours, _ = judged(5, 1, 1, 0)
    young = RunFolder.create(TrainConfig(data=str(tmp_path)))
    (versus,) = compare([made(tmp_path, ours), young]).versus
    assert versus.verdict == "One of them has no test result yet: there is nothing to compare."


def test_one_run_cannot_be_compared(tmp_path: Path) -> None:
    run = made(tmp_path, judged(5, 1, 1, 0)[0])
    for several in ([run], [run, RunFolder(run.path)], []):
        with pytest.raises(UserError, match="two different runs"):
            compare(several)


def test_several_are_held_against_the_first_and_corrected(tmp_path: Path) -> None:
    ours, theirs = judged(50, 0, 6, 0)
    runs = [made(tmp_path, ours), made(tmp_path, theirs), made(tmp_path, theirs)]
    found = compare(runs).versus
    assert [versus.second for versus in found] == [1, 2]
    # Alone each would count as more than chance: 0.031.
    assert [versus.p for versus in found] == pytest.approx([0.0625, 0.0625])
    assert all("may well be chance" in versus.verdict for versus in found)


def test_the_verb_prints_what_the_engine_found(tmp_path: Path, runs: Path) -> None:
    ours, theirs = judged(80, 5, 30, 5)
    names = [made(tmp_path, ours, epochs=3).name, made(tmp_path, theirs, epochs=5).name]
    env = {"ALEXNET_TUI_RUNS": str(runs)}
    ran = cli("compare", *names, env=env)
    assert ran.code == 0 and "Run 2 is better by more than chance" in ran.out
    assert "Epochs         1 3   2 5" in ran.out
    (found,) = cli("compare", *names, "--json", env=env).objects
    assert found["versus"][0]["paired"]["only_second"] == 30
    assert cli("compare", names[0], names[0], env=env).code == 2
