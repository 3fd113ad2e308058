"""Which answers are worth a look, and that reading them costs neither time nor memory."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from core.config import TrainConfig
from core.evaluation.metrics import majority
from core.evaluation.mistakes import UNSURE_PER_CLASS, among, confused, mistakes
from core.evaluation.outcome import outcome
from core.runs import answers as kept
from core.runs import events as ev
from core.runs.answers import Told, brief
from core.runs.folder import RunFolder


def told(truth: str, label: str, confidence: float, path: str = "p.png") -> Told:
    return Told(path, truth, label, confidence)


def line(path: str, truth: str, label: str, chances: Sequence[float], **more: float) -> bytes:
    answer = kept.KeptAnswer(
        path=path, truth=truth, label=label, probabilities=list(chances), **more
    )
    return msgspec.json.encode(answer) + b"\n"


def test_the_surest_mistake_comes_first_and_the_least_sure_right_answer() -> None:
    answers = [told("a", "b", 0.6), told("a", "a", 0.9), told("b", "a", 0.99), told("b", "b", 0.51)]
    found = mistakes(answers)
    assert found is not None
    assert [t.confidence for t in found.wrong] == [0.99, 0.6]
    assert [t.confidence for t in found.right] == [0.51, 0.9]
    assert found.answered == 4 and found.mean_confidence == pytest.approx(0.75)
    assert mistakes([]) is None


def test_of_right_answers_only_the_least_sure_of_each_class_are_kept() -> None:
    sure = [told("a", "a", 0.5 + i / 1000, f"{i}") for i in range(400)]
    random.Random(1).shuffle(sure)
    found = mistakes([*sure, told("b", "b", 0.999)])
    assert found is not None
    of_a = among(found.right, "a")
    assert [t.path for t in of_a] == [str(i) for i in range(UNSURE_PER_CLASS)]
    assert len(among(found.right, "b", "b")) == 1


def test_a_cell_holds_its_mistakes_alone() -> None:
    wrong = [told("a", "b", 0.9), told("a", "c", 0.8), told("b", "c", 0.7)]
    assert among(wrong, "a", "c") == (wrong[1],)
    assert among(wrong, "a") == (wrong[0], wrong[1])
    assert among(wrong, label="c") == (wrong[1], wrong[2])
    assert among(wrong, "c") == ()


def test_pairs_are_ranked_by_pictures_then_by_share() -> None:
    pairs = confused([[90, 10, 0], [3, 7, 10], [0, 1, 4]], most=3)
    assert [(p.truth, p.answer, p.pictures) for p in pairs] == [(1, 2, 10), (0, 1, 10), (1, 0, 3)]
    assert pairs[0].share == 0.5 and pairs[1].share == 0.1
    assert confused([[5, 0], [0, 5]], most=9) == ()


def test_the_baseline_is_the_largest_class() -> None:
    assert majority([[1, 2], [3, 4]]) == (1, 0.7)
    assert majority([[0, 0], [0, 0]]) == (0, 0.0)


HOSTILE = '","probabilities":[9],"label":"x\x1b\n'


@pytest.mark.parametrize("confidence", [{}, {"confidence": 0.75}])
def test_lines_are_read_without_their_probabilities(confidence: dict[str, float]) -> None:
    (found,) = brief([line(f"a/{HOSTILE}.png", HOSTILE, "b", [0.25, 0.75], **confidence)])
    assert found == told(HOSTILE, "b", 0.75, f"a/{HOSTILE}.png")


def test_torn_and_damaged_lines_are_passed_over() -> None:
    good = line("a.png", "a", "b", [0.25, 0.75], confidence=0.75)
    bad = [good[:-9] + b"\n", b"\n", b"\xff{}\n", b'{"path":1}\n', line("e", "a", "a", [])]
    assert [t.path for t in brief([*bad, good])] == ["a.png"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    return RunFolder.create(TrainConfig(data=str(tmp_path), epochs=3))


def write(run: RunFolder, *events: ev.Event) -> None:
    with run.writer() as log:
        for event in events:
            log.write(event)


def evaluated(confusion: list[list[int]]) -> ev.Evaluated:
    size = len(confusion)
    return ev.Evaluated(
        classes=[f"c{k}" for k in range(size)],
        confusion=confusion,
        accuracy=0.5,
        low=0.4,
        high=0.6,
        n=sum(map(sum, confusion)),
        loss=1.0,
        precision=[0.0] * size,
        recall=[0.0] * size,
        f1=[0.0] * size,
    )


STEP = ev.Step(epoch=1, step=1, loss=1.0, accuracy=0.5, learning_rate=0.1, images_per_second=9.0)


def test_a_run_is_reported_from_what_it_left(run: RunFolder) -> None:
    write(run, STEP, evaluated([[3, 1], [0, 2]]), STEP)
    run.write_predictions(line("a", "c0", "c1", [0.1, 0.9], confidence=0.9))
    found = outcome(run)
    assert found.now.evaluated is not None and found.now.state == "interrupted"
    assert found.now.step is None
    assert found.baseline is not None
    assert found.baseline[0] == "c0" and found.baseline[1] == pytest.approx(4 / 6)
    assert [(p.truth, p.answer) for p in found.pairs] == [(0, 1)]
    assert found.mistakes is not None and found.mistakes.wrong[0].path == "a"
    assert found.config is not None and found.config.epochs == 3 and found.model is None


def test_a_run_without_a_test_has_only_its_story(run: RunFolder) -> None:
    write(run, ev.RunFailed(run="r", title="T", hint="H"))
    run.model.write_bytes(b"the best weights so far")
    found = outcome(run)
    assert found.now.state == "failed" and found.mistakes is None
    assert found.baseline is None and found.pairs == () and found.model == run.model


def test_a_model_that_a_later_run_replaced_is_not_this_runs(run: RunFolder, tmp_path: Path) -> None:
    written = tmp_path / "alexnet.safetensors"
    written.write_bytes(b"of a later run")
    interval = ev.Interval(accuracy=0.5, low=0.4, high=0.6, n=6)
    ended = ev.RunEnded(
        run=str(run.path),
        model=str(written),
        seconds=1.0,
        images_per_second=1.0,
        epochs=3,
        best_epoch=1,
        validation=ev.Accuracy(accuracy=0.5),
        test=interval,
        time=written.stat().st_mtime - 60,
    )
    write(run, ended)
    run.model.write_bytes(b"this run's")
    assert outcome(run).model == run.model
    write(run, msgspec.structs.replace(ended, time=written.stat().st_mtime + 0.1))
    assert outcome(run).model == written
