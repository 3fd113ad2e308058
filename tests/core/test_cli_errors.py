"""Whatever goes wrong, a person gets two lines and the right exit code, never a traceback."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.core.conftest import Ran, TrainedRun, cli, write_dataset


def refused(ran: Ran, said: str, code: int = 2) -> None:
    assert ran.code == code, ran
    lines = ran.err.splitlines()
    assert len(lines) == 2 and lines[0].startswith("error: ") and lines[1].strip(), ran.err
    assert said in lines[0], ran.err
    assert "Traceback" not in ran.err + ran.out
    assert ran.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fly"], "fly"),
        (["train"], "DIR"),
        (["train", "/none/at/all"], "no folder"),
        (["train", "/", "--split", "0"], "Split"),
        (["train", "/", "--split", "100"], "Split"),
        (["train", "/", "--split", "many"], "Split"),
        (["train", "/", "--epochs", "0"], "Epochs"),
        (["train", "/", "--epochs", "-3"], "Epochs"),
        (["train", "/", "--image-size", "32"], "Image size"),
        (["train", "/", "--learning-rate", "nan"], "Learning rate"),
        (["train", "/", "--augment", "wild"], "Augment"),
        (["train", "/", "--epoch", "5"], "--epoch"),
        (["train", "/", "--freeze"], "Freeze"),
        (["train", "/", "--weights", "/none.safetensors"], "weights file"),
        (["watch", "no-such-run"], "no-such-run"),
        (["stop", "no-such-run"], "no-such-run"),
        (["runs", "/none/at/all"], "no folder"),
        (["info", "/none/at/all"], "no model file"),
        (["info", "/etc/passwd"], "no model file"),
        (["classify", "/none/at/all", "x.jpg"], "no model file"),
        (["classify", "/none"], "SOURCE"),
        (["demo", "/tmp", "--images", "3"], "--images"),
        (["watch", "x" * 300], "xxx"),
        (["runs", "x" * 300], "xxx"),
        (["runs", "~nosuch"], "no folder"),
        (["train", "/", "--weights", "x" * 300], "weights file"),
    ],
)
def test_bad_usage(words: list[str], said: str) -> None:
    refused(cli(*words), said)
    refused(cli(*words, "--json"), said)


def test_folders_that_cannot_be_trained_on(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(cli("train", empty), "nothing to train on")
    one = write_dataset(tmp_path / "one", per_class=3)
    for path in (one / "low").iterdir():
        path.unlink()
    refused(cli("train", one), "no picture")
    (one / "low").rmdir()
    refused(cli("train", one), "Only one class")


def test_a_name_cannot_steer_the_terminal_through_an_error(tmp_path: Path) -> None:
    evil = tmp_path / "evil\x1b]0;x\x07\nname"
    evil.mkdir()
    ran = cli("train", evil)
    refused(ran, "evil\\x1b]0;x\\x07\\nname")


def test_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    refused(cli("train", data, "--device", "cuda"), "GPU")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_c023_a_read_only_data_folder_is_told_before_the_start(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    data.chmod(0o500)
    try:
        refused(cli("train", data), "cannot be written")
    finally:
        data.chmod(0o700)


def test_a_place_for_the_model_that_is_not_there(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    refused(cli("train", data, "--out", tmp_path / "none" / "m.safetensors"), "cannot be written")


def test_nothing_but_a_model_is_written_over(trained: TrainedRun, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    thesis = tmp_path / "thesis.odt"
    thesis.write_text("years of work")
    refused(cli("train", data, "--out", thesis), "no model file")
    refused(cli("train", data, "--out", "/dev/null"), "no model file")
    refused(cli("classify", tmp_path / "none", "x.jpg", "--csv", thesis), "no model file at")
    model = trained.data / "alexnet.safetensors"
    before = model.stat().st_size
    refused(cli("classify", model, "x.jpg", "--csv", model), "no table of answers")
    assert thesis.read_text() == "years of work" and model.stat().st_size == before


@pytest.mark.parametrize(
    ("given", "better"),
    [
        *[(f"best{end}", "best.safetensors") for end in (".pt", ".pth", ".bin", ".ckpt", ".PKL")],
        ("v1.2", "v1.2.safetensors"),
        ("best", "best.safetensors"),
    ],
)
def test_a_model_that_could_not_be_read_is_not_trained(
    dataset: Path, tmp_path: Path, given: str, better: str
) -> None:
    before = cli("runs", "--json").out
    ran = cli("train", dataset, "--out", tmp_path / given)
    refused(ran, f"{given}: the names of model files end in .safetensors")
    assert f"--out {tmp_path / better}" in ran.err
    assert cli("runs", "--json").out == before


def test_a_folder_may_be_named_for_the_model(dataset: Path, tmp_path: Path) -> None:
    models = tmp_path / "models.v2"
    models.mkdir()
    ran = cli("train", dataset, "--out", models, "--prepare")
    assert ran.code == 0, ran.err


def test_a_home_of_nobody_is_a_name(tmp_path: Path) -> None:
    env = {"ALEXNET_TUI_RUNS": "~nosuchuser/x"}
    assert cli("runs", env=env).out == "No runs yet.\n"
    data = write_dataset(tmp_path / "d", per_class=4)
    refused(cli("train", data, "--weights", "~nosuchuser/x"), "no weights file at ~nosuchuser/x")


def test_a_data_folder_with_a_config_of_its_own_is_no_run(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    (data / "config.json").write_text("{}")
    before = sorted(data.iterdir())
    refused(cli("watch", data), "Nothing was trained")
    assert sorted(data.iterdir()) == before


def test_runs_that_cannot_be_kept(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    (tmp_path / "file").write_text("in the way")
    env = {"ALEXNET_TUI_RUNS": str(tmp_path / "file" / "runs")}
    refused(cli("train", data, env=env), "Runs cannot be kept")
    assert cli("runs", env=env).code == 0


def test_too_few_pictures_are_told_by_the_worker_with_the_same_two_lines(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    for i in (1, 2, 3):
        (data / "low" / f"00{i}.png").write_bytes((data / "low" / "000.png").read_bytes())
    ran = cli("train", data, "--image-size", 64)
    assert ran.out.startswith("training on")
    refused(ran._replace(out=""), "only 1 different readable picture")


def test_sources_that_fail_are_told_one_by_one(trained: TrainedRun, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/a.jpg"
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    (tmp_path / "empty").mkdir()
    bad = [
        "/none.jpg",
        text,
        tmp_path / "empty",
        closed,
        "http://",
        "ftp://h/a.jpg",
        "",
        "http://[::1",
    ]
    ran = cli("classify", trained.data, *bad)
    assert ran.code == 2 and ran.out == "" and "Traceback" not in ran.err
    assert ran.err.count("error: ") == len(bad) and len(ran.err.splitlines()) == 2 * len(bad)
    as_json = cli("classify", trained.data, *bad, "--json")
    assert as_json.code == 2 and as_json.err == ""
    assert all(set(line) == {"source", "error", "hint"} for line in as_json.objects)
    assert len(as_json.objects) == len(bad)


def test_an_output_that_nobody_reads_is_no_traceback(trained: TrainedRun) -> None:
    import subprocess
    import sys

    from tests.core.conftest import ROOT

    command = f"{sys.executable} {ROOT}/run_tui.py watch {trained.data} --json | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1 and done.stderr == ""


def test_a_class_without_pictures_is_left_out_by_name(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", per_class=4)
    (data / "bird").mkdir()
    ran = cli("train", data)
    refused(ran, "“bird” has no picture")
    assert "--without bird" in ran.err
    refused(cli("train", data, "--without", "brid"), "no class folder “brid”")
    words = ("--image-size", 64, "--epochs", 1, "--device", "cpu", "--json")
    ran = cli("train", data, "--without", "bird", *words)
    assert ran.code == 0, ran.err
    (ready,) = (event for event in ran.objects if event["event"] == "dataset-ready")
    assert ready["classes"] == ["high", "low"]
