"""What the terminal is told past the screen: a bell, a notice, a text for its clipboard."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from core.runs.folder import RunSummary
from core.settings import Settings
from core.text import percent, safe_text
from tui.report import STATES
from tui.words import NAME_WIDTH

MOST_CHARACTERS = 200
TMUX_SECONDS = 2.0


def run_over(run: RunSummary) -> str:
    """Return in one line how a run has ended."""
    words = f"{safe_text(Path(run.data).name, NAME_WIDTH)} {STATES[run.state]}"
    if run.test is not None:
        words += f", {percent(run.test.accuracy)} on the test part"
    return words


def notice(text: str, settings: Settings, environment: Mapping[str, str] = os.environ) -> str:
    """Return what rings the bell and shows `text` beside the screen, as far as that is wanted.

    OSC 9 is iTerm2's, OSC 777 urxvt's; terminals that know neither pass over both.
    """
    title, said = "AlexNet", safe_text(text, MOST_CHARACTERS).replace(";", ",")
    sent = ""
    if settings.notice in ("osc9", "both"):
        sent += wrapped(f"\x1b]9;{title}: {said}\x07", environment)
    if settings.notice in ("osc777", "both"):
        sent += wrapped(f"\x1b]777;notify;{title};{said}\x07", environment)
    # The Linux console prints what it does not know.
    if environment.get("TERM") == "linux":
        sent = ""
    return sent + ("\x07" if settings.bell else "")


def wrapped(sequence: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return `sequence` so that tmux or screen, if one is around, hands it on to the terminal."""
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("STY"):
        return f"\x1bP{sequence}\x1b\\"
    return sequence


def clipboard(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what asks the terminal to put `text` into its clipboard (OSC 52)."""
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07"
    hidden = wrapped(sequence, environment)
    # tmux takes it itself or hands it on, by its options: one of the two.
    return sequence if hidden == sequence else sequence + hidden


async def tmux_clipboard(text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Give `text` to tmux, if it is around, for its own buffer and the terminal's clipboard.

    By default tmux obeys its own command here, but no sequence of a program in it.
    """
    tmux = shutil.which("tmux") if environment.get("TMUX") else None
    if tmux is None:
        return False
    with suppress(OSError, TimeoutError):
        process = await asyncio.create_subprocess_exec(
            *(tmux, "load-buffer", "-w", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.communicate(text.encode()), TMUX_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode == 0
    return False
