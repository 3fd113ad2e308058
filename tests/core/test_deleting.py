"""A run is deleted whole, alone, and never while it lives."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pexpect
import pytest

from core.config import TrainConfig
from core.errors import UserError
from core.runs.deleting import delete, disk_bytes
from core.runs.folder import RunFolder
from core.runs.listing import Listing
from tests.core.conftest import ROOT, cli


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "happy").mkdir(parents=True)
    (folder / "happy" / "a.png").write_bytes(b"a picture")
    (folder / "alexnet.safetensors").write_bytes(b"the model")
    return folder


def ended(data: Path) -> RunFolder:
    """Return a run whose trainer is gone."""
    run = RunFolder.create(TrainConfig(data=str(data)))
    run.writer().close()
    run.model.write_bytes(bytes(300_000))
    return run


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_a_run_goes_and_nothing_else(data: Path, root: Path) -> None:
    run, other = ended(data), ended(data)
    outside = data.parent / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    (run.path / "link").symlink_to(outside)
    (run.path / "more").mkdir()
    (run.path / "more" / "file-link").symlink_to(outside / "precious")
    before = content(data), content(outside), content(other.path)
    size = disk_bytes(run)
    assert 300_000 <= size < 400_000
    assert delete(run) == size
    assert [path.name for path in root.iterdir()] == [other.name]
    assert (content(data), content(outside), content(other.path)) == before


def test_what_checkpoints_share_is_counted_once(data: Path) -> None:
    run = ended(data)
    before = disk_bytes(run)
    store = run.checkpoints()
    for step in (1, 2):
        files = {"state": [bytes(100_000)], "best": [bytes(500_000)]}
        store.write(1, step, b"{}", files, unchanged=["best"] if step > 1 else [])
    assert 700_000 <= disk_bytes(run) - before < 760_000
    os.link(run.model, data / "kept")
    assert disk_bytes(run) - before < 760_000 - 300_000


def test_a_living_run_stays(data: Path) -> None:
    run = ended(data)
    with run.lock(), pytest.raises(UserError, match="being trained") as refused:
        delete(run)
    assert "Stop it first" in refused.value.hint
    assert run.model.exists()
    young = RunFolder.create(TrainConfig(data=str(data)))
    with pytest.raises(UserError, match="being trained"):
        delete(young)
    assert young.path.exists()


def test_a_link_is_not_followed(data: Path, root: Path, tmp_path: Path) -> None:
    run = ended(data)
    elsewhere = tmp_path / "elsewhere"
    run.path.rename(elsewhere)
    (root / "linked").symlink_to(elsewhere)
    with pytest.raises(UserError, match="is a link"):
        delete(RunFolder(root / "linked"))
    with pytest.raises(UserError, match="not in the folder of runs"):
        delete(RunFolder(elsewhere))
    assert (elsewhere / "alexnet.safetensors").exists()


def test_data_inside_a_run_keeps_it(root: Path) -> None:
    run = ended(root)
    inside = run.path / "data"
    inside.mkdir()
    other = RunFolder(root / "other")
    shutil.copytree(run.path, other.path)
    settings = (run.path / "config.json").read_text().replace(f'"{root}"', f'"{other.path}/data"')
    (other.path / "config.json").write_text(settings)
    with pytest.raises(UserError, match="lies in its folder"):
        delete(other)
    assert (other.path / "data").is_dir()


def test_a_run_that_is_gone_says_so(data: Path) -> None:
    run = ended(data)
    delete(run)
    with pytest.raises(UserError, match="was not deleted"):
        delete(run)


def test_a_deletion_that_is_cut_off_leaves_no_half_run(
    data: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ended(data), ended(data)

    def torn(path: Path) -> None:
        (path / "events.jsonl").unlink()
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", torn)
        with pytest.raises(UserError, match="is out of the list, but not all of it could"):
            delete(first)
    assert [path.name for path in root.iterdir() if path.name.startswith(".deleted-")]
    assert [run.name for run in Listing().summaries()] == [second.name]
    delete(second)
    assert list(root.iterdir()) == []


def test_the_list_is_read_anew_where_it_changed(data: Path) -> None:
    listing = Listing()
    run = ended(data)
    assert [found.state for found in listing.summaries()] == ["interrupted"]
    with run.lock():
        assert [found.state for found in listing.summaries()] == ["starting"]
    assert [found.state for found in listing.summaries()] == ["interrupted"]
    delete(run)
    assert listing.summaries() == []


def test_the_verb_asks_or_wants_to_be_told(data: Path, root: Path) -> None:
    env = {"ALEXNET_TUI_RUNS": str(root)}
    run, other = ended(data), ended(data)
    asked = cli("delete", run.name, env=env)
    assert asked.code == 2 and "--yes" in asked.err and run.path.exists()
    wrong = cli("delete", data, "--yes", env=env)
    assert wrong.code == 2 and "no run but the data of" in wrong.err and other.path.exists()
    with other.lock():
        ran = cli("delete", run.name, other.path, run.path, "--yes", "--json", env=env)
    assert ran.code == 1 and "being trained" in ran.err
    assert [said["run"] for said in ran.objects] == [str(run.path)]
    assert not run.path.exists() and other.path.exists()


@pytest.mark.parametrize(("said", "code"), [("n", 2), ("y", 0)])
def test_on_a_terminal_the_verb_asks(data: Path, root: Path, said: str, code: int) -> None:
    run = ended(data)
    environment = os.environ | {"ALEXNET_TUI_RUNS": str(root)}
    words = [str(ROOT / "run_tui.py"), "delete", run.name]
    asked = pexpect.spawn(sys.executable, words, env=environment, encoding="utf-8", timeout=60)
    asked.expect(r"Delete 1 run, 0\.3 MB\? Data and models stay\.")
    asked.sendline(said)
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == code
    assert run.path.exists() == (said == "n")


def _hear_interrupts() -> None:
    # A shell's background job, as tests may be one, hands down that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_at_the_question_deletes_nothing_at_once(data: Path, root: Path) -> None:
    run = ended(data)
    environment = os.environ | {"ALEXNET_TUI_RUNS": str(root)}
    words = [str(ROOT / "run_tui.py"), "delete", run.name]
    asked = pexpect.spawn(
        sys.executable,
        words,
        env=environment,
        encoding="utf-8",
        timeout=60,
        preexec_fn=_hear_interrupts,
    )
    asked.expect(r"\[y/N\]")
    asked.sendintr()
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == 130
    assert run.path.exists()
