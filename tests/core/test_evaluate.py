"""A saved model judged on folders: its own, whose figures are the training's, and those of others."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from core.cli import main
from core.cli_evaluate import lines
from core.dataset.decoders import decode_file
from core.errors import UserError
from core.evaluation.result import Evaluation, Part
from tests.core.conftest import TrainedRun, cli, picture


def judged(trained: TrainedRun, data: Path, part: Part) -> Evaluation:
    """Evaluate in this process, which spares a start of torch."""
    from core.evaluation.evaluating import evaluate

    return evaluate(trained.data / "alexnet.safetensors", data, part, lambda done, total: None)


def test_its_own_test_part_gives_the_figures_of_the_training(trained: TrainedRun) -> None:
    ran = cli("evaluate", trained.data, trained.data, "--json")
    # One file of the folder cannot be read, all else was answered.
    assert ran.code == 1, ran.err
    (found,) = ran.objects
    (expected,) = trained.of("evaluated")
    same = ("classes", "confusion", "accuracy", "low", "high", "n", "precision", "recall", "f1")
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)
    assert found["part"] == "test" and found["trained"] == 0
    assert found["notes"][0].startswith("The split is that of the training")
    assert [file["path"] for file in found["left_out"]] == ["high/broken.jpg"]
    assert found["baseline"] == pytest.approx(max(map(sum, expected["confusion"])) / found["n"])
    assert ran.err == ""


def test_people_get_lines_instead(trained: TrainedRun) -> None:
    said = "\n".join(lines(judged(trained, trained.data, "all")))
    assert said.startswith("accuracy    ") and "of 81 pictures (95 % interval" in said
    trained_on = sum(trained.of("dataset-ready")[0]["train"])
    assert f"{trained_on} of these 81 pictures trained the model" in said
    assert "truth / answer" in said and "precision" in said
    assert "1 file left out that cannot be read" in said


def test_the_validation_part_is_named_for_what_it_is(trained: TrainedRun) -> None:
    found = judged(trained, trained.data, "validation")
    assert found.n == sum(trained.of("dataset-ready")[0]["validation"]) and found.trained == 0
    assert "chose its best epoch" in found.notes[0]


def test_a_folder_that_has_changed_is_not_taken_for_the_old_one(
    trained: TrainedRun, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(trained.data, data)
    assert judged(trained, data, "test").trained == 0
    (data / "high" / "000.png").unlink()
    found = judged(trained, data, "test")
    assert found.trained is None and "is not the folder" in found.notes[0]
    assert "--part all" in found.notes[0]


def test_a_new_folder_is_read_as_classify_reads_it(trained: TrainedRun, tmp_path: Path) -> None:
    from core.model import bundle
    from core.prediction.predictor import Predictor

    data = tmp_path / "new"
    for name in ("dog", "low"):
        (data / name).mkdir(parents=True)
    # Larger than those trained on, so that they are kept in another size; one of them is gray.
    for i in range(3):
        picture(1, seed=i, size=100).save(data / "low" / f"{i}.png")
    picture(1, seed=9, size=100).convert("L").save(data / "low" / "gray.png")
    picture(0, seed=7, size=100).save(data / "dog" / "rex.png")
    found = judged(trained, data, "all")
    assert found.n == 4 and found.unknown_classes == {"dog": 1} and not found.whole
    assert found.classes == ["high", "low"] and sum(found.confusion[1]) == 4
    assert found.trained is None
    said = " ".join(found.notes)
    assert "1 picture left out, of classes that the model does not know: dog." in said
    assert "There is no picture of high" in said

    model = bundle.load(trained.data / "alexnet.safetensors")
    size = model.card.preprocessing.stored_size
    assert size == 64
    squares = []
    for name in ("0", "1", "2", "gray"):
        square = decode_file(str(data), (f"low/{name}.png", 0), size)[1]
        assert square is not None
        squares.append(square.repeat(3 // len(square), axis=0))
    surest = Predictor(model).probabilities(np.stack(squares)).max(1).values
    assert found.mean_confidence == pytest.approx(float(surest.mean()), abs=1e-5)
    assert sum(one.n for one in found.calibration.bins) == found.n
    assert found.calibration.error <= 1.0


def test_one_class_with_one_picture_can_be_judged_but_not_dealt(
    trained: TrainedRun, tmp_path: Path
) -> None:
    folder = tmp_path / "few" / "low"
    folder.mkdir(parents=True)
    picture(1, seed=3).save(folder / "a.png")
    found = judged(trained, tmp_path / "few", "all")
    assert found.n == 1 and "better than" not in " ".join(found.notes)
    with pytest.raises(UserError, match="Only one class") as refused:
        judged(trained, tmp_path / "few", "test")
    assert "--part all" in refused.value.hint


def test_a_folder_of_other_classes_is_refused_with_both_lists(
    trained: TrainedRun, tmp_path: Path
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(3):
            picture(0, seed=i).save(tmp_path / "pets" / name / f"{i}.png")
    with pytest.raises(UserError, match="knows none of the classes") as refused:
        judged(trained, tmp_path / "pets", "all")
    assert refused.value.hint == "It knows high, low; the folder has cat, dog."


def test_colour_is_made_gray_for_a_gray_model_as_classify_does(tmp_path: Path) -> None:
    from core.dataset import decode as dec
    from core.evaluation.evaluating import _as_seen
    from core.model.card import Preprocessing

    spec = Preprocessing(stored_size=64, channels=1, image_size=64)
    coloured = np.asarray(picture(0, seed=1))
    seen = _as_seen(np.ascontiguousarray(coloured.transpose(2, 0, 1)), spec)
    assert np.array_equal(seen, dec.with_channels(coloured, 1))
    assert np.array_equal(seen[0], np.asarray(Image.fromarray(coloured).convert("L")))


def test_what_cannot_be_had_is_said(
    trained: TrainedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="There is no folder at"):
        judged(trained, tmp_path / "none", "all")
    assert main(["evaluate", "model", "folder", "--part", "train"]) == 2
    assert capsys.readouterr().err.startswith("error: Argument --part: invalid choice")


def test_of_many_classes_the_most_confused_are_printed() -> None:
    from core.evaluation.calibration import Calibration
    from core.evaluation.metrics import evaluated

    names = [f"class {k}\x1b[2J" for k in range(40)]
    score = evaluated([0, 0, 0, 1], [0, 7, 7, 1], names, loss=0.5)
    found = Evaluation(
        **{name: getattr(score, name) for name in score.__struct_fields__},
        model="m",
        data="d",
        part="all",
        trained=None,
        baseline=0.75,
        baseline_class=names[0],
        mean_confidence=0.5,
        calibration=Calibration(),
        unknown_classes={},
        left_out=[],
        mistakes=[],
        notes=[],
        device="CPU",
        seconds=1.0,
    )
    said = "\n".join(lines(found))
    assert "2 of class 0" in said and "(66.7%) taken for class 7" in said
    assert "truth / answer" not in said and "\x1b" not in said


def test_a_class_that_was_left_out_in_training_is_so_in_its_test(
    trained: TrainedRun, tmp_path: Path
) -> None:
    from core.evaluation.evaluating import evaluate
    from core.model import bundle

    data = tmp_path / "data"
    shutil.copytree(trained.data, data)
    # An empty class: nothing is dealt with it, and everything without it.
    (data / "bird").mkdir()
    model = bundle.load(data / "alexnet.safetensors")
    settings = model.card.settings | {"without": "bird"}
    bundle.save(data / "alexnet.safetensors", replace(model.card, settings=settings), model.tensors)
    with pytest.raises(UserError, match="has no picture"):
        judged(trained, data, "test")
    told = evaluate(data / "alexnet.safetensors", data, "test", lambda done, total: None)
    assert told.trained == 0 and not told.unknown_classes
