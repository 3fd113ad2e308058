"""The trainers that this process has started: each detached, none left a zombie."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from core.errors import UserError
from core.processes import how_it_died, worker_command, worker_environment
from core.runs.folder import RunFolder
from core.text import safe_text


class Trainers:
    """Starts trainers, and knows how those that it started have ended."""

    def __init__(self) -> None:
        self._by_run: dict[Path, subprocess.Popen[bytes]] = {}

    async def start(self, run: RunFolder) -> None:
        """Start a detached trainer, return as soon as it has `run` in hand; cancelled before, it is ended."""
        size = run.log_size()
        with run.worker_log.open("ab") as log:
            trainer = subprocess.Popen(
                worker_command("train", str(run.path)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=worker_environment(),
                start_new_session=True,
            )
        self._by_run[run.path] = trainer
        try:
            while run.log_size() == size:
                if trainer.poll() is not None:
                    raise UserError(
                        f"The trainer did not start (exit code {trainer.returncode}).",
                        f"It said: {safe_text(run.last_words(3), 300)}",
                    )
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            # Nobody has been told of this training: it would go on unseen.
            trainer.kill()
            raise

    def reap(self) -> None:
        """Take note of those that have ended."""
        for trainer in self._by_run.values():
            trainer.poll()

    def how_it_died(self, run: RunFolder) -> str:
        """Return what ended the trainer of `run` against its will, empty where that is not known."""
        trainer = self._by_run.get(run.path)
        code = trainer.poll() if trainer else None
        return "" if code is None or code >= 0 else how_it_died(code)
