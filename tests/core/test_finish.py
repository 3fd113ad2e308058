"""The end of a run: a command is run, an address is told, and neither can do any harm."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from core import finish as fn
from core.config import TrainConfig
from core.processes import worker_command, worker_environment
from core.runs import events as ev
from core.runs.folder import RunFolder
from core.settings import write_setting

SECRET = "T0/S3CRET"


class Listener:
    """A server on loopback: answers what it is told to, keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.said: list[tuple[str, str, dict[str, object]]] = []
        self.silent = threading.Event()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.said.append((self.path, self.headers["Content-Type"], json.loads(body)))
                answer = listener.answers.pop(0) if listener.answers else 200
                if answer == 0:
                    listener.silent.wait(30)
                self.send_response(answer or 200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:pass@127.0.0.1:{self.server.server_port}/{SECRET}?token={SECRET}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.silent.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALEXNET_TUI_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def ended(tmp_path: Path, on_finish: str | None = None, failed: bool = False) -> RunFolder:
    """Return a run that has ended."""
    run = RunFolder.create(TrainConfig(data=str(tmp_path / "faces"), on_finish=on_finish))
    test = ev.Interval(accuracy=0.93125, low=0.92, high=0.94, n=1600)
    last: ev.Event = ev.RunEnded(
        run=run.name,
        model="/faces/alexnet.safetensors",
        seconds=8,
        images_per_second=100,
        epochs=3,
        best_epoch=2,
        validation=ev.Accuracy(accuracy=0.9),
        test=test,
    )
    if failed:
        last = ev.RunFailed(run=run.name, title="Out of memory.", hint="Take a smaller batch.")
    with run.writer() as log:
        log.write(last)
    return run


def test_nothing_is_wanted_unless_it_was_said(tmp_path: Path) -> None:
    assert not fn.is_wanted(ended(tmp_path))
    assert fn.is_wanted(ended(tmp_path, "true"))
    write_setting("webhook", "http://127.0.0.1/x")
    assert fn.is_wanted(ended(tmp_path))


def test_the_command_knows_how_the_run_ended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = "echo told:$ALEXNET_TUI_RUN:$ALEXNET_TUI_STATE:$ALEXNET_TUI_MODEL:$ALEXNET_TUI_TEST_ACCURACY:"
    run = ended(tmp_path, said)
    fn.finish(run)
    out = capfd.readouterr().out
    assert f"told:{run.path}:finished:/faces/alexnet.safetensors:0.9313:" in out
    assert "the command ended with 0" in out
    run = ended(tmp_path, said, failed=True)
    fn.finish(run)
    assert f"told:{run.path}:failed:::" in capfd.readouterr().out


def test_the_command_of_the_run_comes_before_that_of_the_settings(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_setting("on_finish", "echo from settings")
    fn.finish(ended(tmp_path))
    assert "from settings" in capfd.readouterr().out
    fn.finish(ended(tmp_path, "echo from the flag"))
    out = capfd.readouterr().out
    assert "from the flag" in out and "from settings" not in out


def test_the_command_has_its_own_session_and_no_input(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fn.finish(ended(tmp_path, 'read line || echo "empty $$ $(ps -o sid= -p $$)"'))
    words = next(line for line in capfd.readouterr().out.splitlines() if "empty" in line).split()
    assert words[1] == words[2] != str(os.getsid(0))


def test_a_command_that_takes_too_long_is_ended_with_its_children(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = fn.start_command(f"sleep 600 9> {pipe} & wait", {})
    assert child is not None
    with pipe.open("rb") as held:
        fn.wait_for_command(child, 0.01)
        # The pipe ends when the last process that holds it has ended.
        assert held.read() == b""
    assert "took longer" in capfd.readouterr().out


def test_a_command_that_does_not_exist_is_only_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fn.finish(ended(tmp_path, "/no/such/command"))
    assert "the command ended with 127" in capfd.readouterr().out


def test_the_address_is_told_and_its_secrets_are_not(
    tmp_path: Path, listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    write_setting("webhook", listener.url)
    run = ended(tmp_path)
    fn.finish(run)
    [(path, kind, body)] = listener.said
    assert path == f"/{SECRET}?token={SECRET}" and kind == "application/json"
    assert body["run"] == run.name and body["state"] == "finished"
    assert body["test"] == {"accuracy": 0.93125, "low": 0.92, "high": 0.94, "n": 1600}
    assert body["text"] == body["content"] == "faces: finished, 93.1 % of 1,600 test pictures right"
    said = "".join(capfd.readouterr())
    assert "127.0.0.1 was told and answered 200" in said
    assert SECRET not in said and "pass" not in said


def test_it_is_told_again_while_the_server_is_not_up_to_it(
    listener: Listener, tmp_path: Path
) -> None:
    listener.answers = [503, 429, 200]
    report = fn.report(ended(tmp_path).summary())
    assert fn.post(listener.url, report, waits=(0, 0, 0))
    assert len(listener.said) == 3


def test_a_refusal_is_not_repeated(
    listener: Listener, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    listener.answers = [404]
    assert not fn.post(listener.url, fn.report(ended(tmp_path).summary()), waits=(0, 0))
    assert len(listener.said) == 1
    assert "answered 404" in capfd.readouterr().out


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/T0/S3CRET", "http://no.invalid/T0/S3CRET"])
def test_an_address_that_is_not_there_is_only_a_line(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not fn.post(url, fn.report(ended(tmp_path).summary()), waits=(0,))
    said = "".join(capfd.readouterr())
    assert "could not be told: no answer" in said and SECRET not in said


def test_a_server_that_never_answers_is_left(
    tmp_path: Path,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    listener.answers = [0]
    monkeypatch.setattr(fn, "POST_SECONDS", 0.2)
    write_setting("webhook", listener.url)
    fn.finish(ended(tmp_path, "echo the command ran"))
    out = capfd.readouterr().out
    assert "has not taken the news" in out and "the command ran" in out and SECRET not in out


def test_a_run_that_was_deleted_is_only_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fn.finish(RunFolder(tmp_path / "gone"))
    assert "cannot be told" in capfd.readouterr().out


def test_a_model_does_not_tell_the_command(tmp_path: Path) -> None:
    told = TrainConfig(data="/d", on_finish="curl -H 'Authorization: S3CRET'").of_model()
    assert "on_finish" not in told and told["split"] == 80


def test_a_real_trainer_whose_run_fails_runs_the_command_and_keeps_its_exit_code(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told"
    command = f"echo $ALEXNET_TUI_STATE $PPID > {told}"
    run = RunFolder.create(TrainConfig(data=str(tmp_path / "none"), on_finish=command))
    with run.worker_log.open("wb") as log:
        trainer = subprocess.Popen(
            worker_command("train", str(run.path)), stdout=log, stderr=log, env=worker_environment()
        )
        assert trainer.wait(120) == 2, run.last_words()
    assert told.read_text().split() == ["failed", str(trainer.pid)]
    assert "the command ended with 0" in run.last_words()
    assert not run.alive()
