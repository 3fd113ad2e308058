"""What happens when a run has ended: the user's command is run, and an address is told.

It runs in a process of its own that no longer trains and holds no memory of the training; whatever
goes wrong here is a line in the worker's log and nothing else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from core.runs import events as ev
from core.runs.folder import RunFolder, RunSummary
from core.settings import Settings, read_settings
from core.text import percent, safe_text

COMMAND_SECONDS = 3600.0
KILL_SECONDS = 10.0
POST_SECONDS = 60.0
TRY_SECONDS = 10.0
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
# Whoever answers so may answer otherwise a moment later.
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an address is told of a run; `text` and `content` are what Slack and Discord show."""

    run: str
    state: str
    data: str
    epochs: int
    model: str | None
    test: ev.Interval | None
    text: str
    content: str


def is_wanted(run: RunFolder) -> bool:
    """Tell whether anything is to happen when `run` has ended."""
    settings = read_settings(set_aside=False).settings
    return bool(_command(run, settings) or settings.webhook)


def finish(run: RunFolder) -> None:
    """Run the command, tell the address, and wait for both within their bounds."""
    settings = read_settings(set_aside=False).settings
    try:
        summary = run.summary()
    except (OSError, msgspec.MsgspecError) as error:
        _log(f"the end of the run cannot be told: {error}")
        return
    command, child = _command(run, settings), None
    if command:
        child = start_command(command, environment(summary))
    if settings.webhook:
        # In a thread, because nothing but leaving it bounds a server that answers in drops.
        posting = threading.Thread(
            target=post, args=(settings.webhook, report(summary)), daemon=True
        )
        posting.start()
        posting.join(POST_SECONDS)
        if posting.is_alive():
            _log(f"{_host(settings.webhook)} has not taken the news within {POST_SECONDS:.0f} s")
    if child is not None:
        wait_for_command(child)


def environment(run: RunSummary) -> dict[str, str]:
    """Return what the command finds in its environment of how the run has ended."""
    return {
        "ALEXNET_TUI_RUN": run.run,
        "ALEXNET_TUI_STATE": run.state,
        "ALEXNET_TUI_MODEL": run.model or "",
        "ALEXNET_TUI_TEST_ACCURACY": f"{run.test.accuracy:.4f}" if run.test else "",
    }


def report(run: RunSummary) -> Report:
    """Return what an address is told of `run`."""
    text = f"{safe_text(Path(run.data).name)}: {run.state}"
    if run.test is not None:
        text += f", {percent(run.test.accuracy)} of {run.test.n:,} test pictures right"
    return Report(
        run=run.name,
        state=run.state,
        data=run.data,
        epochs=run.epoch,
        model=run.model,
        test=run.test,
        text=text,
        content=text,
    )


def start_command(command: str, told: dict[str, str]) -> subprocess.Popen[bytes] | None:
    """Start `command` by the shell in a session of its own; what it says goes where we say it."""
    _log("the command for the end of the run starts")
    try:
        return subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            env=os.environ | told,
            start_new_session=True,
            # The trainer ignored Ctrl-C, and what is ignored is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    except OSError as error:
        _log(f"it cannot be started: {error.strerror}")
        return None


def wait_for_command(child: subprocess.Popen[bytes], seconds: float = COMMAND_SECONDS) -> None:
    """Wait until the command is over; one that takes longer than `seconds` is ended with its children."""
    try:
        code = child.wait(seconds)
        _log(f"the command ended with {code}")
        return
    except subprocess.TimeoutExpired:
        _log(f"the command took longer than {seconds:.0f} s and is ended")
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(child.pid, number)
        try:
            child.wait(KILL_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue


def post(url: str, said: Report, waits: Sequence[float] = WAITS) -> bool:
    """Send `said` to `url`, again after growing waits while the server is not up to it."""
    for wait in (*waits, None):
        answer = _posted(url, said)
        if answer is None or answer in TRANSIENT:
            if wait is not None:
                time.sleep(wait)
            continue
        _log(f"{_host(url)} was told and answered {answer}")
        return answer < 300
    _log(f"{_host(url)} could not be told: {answer or 'no answer'}")
    return False


def _posted(url: str, said: Report) -> int | None:
    """Return the status of the answer, None without one; the body is nobody's business."""
    import httpx

    body = msgspec.json.encode(said)
    headers = {"Content-Type": "application/json", "User-Agent": "alexnet-tui"}
    try:
        with httpx.stream(
            "POST", url, content=body, headers=headers, timeout=TRY_SECONDS
        ) as answer:
            status: int = answer.status_code
            return status
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        # Their texts may hold the address with its secrets.
        return None


def _command(run: RunFolder, settings: Settings) -> str | None:
    """Return the run's own command, or else the one in the settings."""
    try:
        return run.created().config.on_finish or settings.on_finish
    except (OSError, msgspec.MsgspecError):
        return settings.on_finish


def _host(url: str) -> str:
    """Return the part of an address that holds no secret."""
    return safe_text(urlsplit(url).hostname, 100)


def _log(line: str) -> None:
    """Say a line in the worker's log, which is this process's output."""
    print(f"finish: {line}", flush=True)
