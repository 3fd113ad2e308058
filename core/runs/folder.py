"""One run on disk: make its folder, find it, list it, order it about, tell whether it lives."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec
import platformdirs

from core.config import MODEL_NAME, TrainConfig
from core.errors import UserError
from core.files import expanded, same_folder, sync_folder, write_atomically
from core.runs import events as ev
from core.runs.answers import Told, brief
from core.runs.checkpoints import Checkpoints
from core.runs.created import Created, read_created, unknown_settings
from core.runs.dealt import read_digests
from core.runs.epochs import EpochReader
from core.runs.heartbeat import Silence, beating
from core.runs.log import EventReader, EventWriter, read_ends, read_rare
from core.runs.orders import Order, OrderReader
from core.runs.replay import KeepingWriter, Replay
from core.runs.snapshot import RunView, Snapshot
from core.runs.summary import RunSummary as RunSummary
from core.runs.summary import summary
from core.text import slug

APP = "alexnet-tui"
# A probe of the lock holds it for microseconds: a worker that meets one tries again so long.
LOCK_PATIENCE_SECONDS = 5.0
# Time that a new worker has to take its lock before its run counts as dead.
START_GRACE_SECONDS = 20.0
# So much of a log's start and end tells how the run stands, or up to so much where an epoch is long.
END_BYTES, MOST_END_BYTES = 128 * 1024, 4 * 2**20
# Lines of a thousand probabilities are longer than what is read at once by default.
_PIECE_BYTES = 2**20
_LOG = "events.jsonl"


def runs_root() -> Path:
    """Return the folder of all runs: `ALEXNET_TUI_RUNS`, or the user's state folder."""
    named = os.environ.get("ALEXNET_TUI_RUNS")
    return expanded(named) if named else platformdirs.user_state_path(APP) / "runs"


class RunFolder:
    """The files of one run; nobody else opens them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    @classmethod
    def create(cls, config: TrainConfig, prepared: bool = False) -> RunFolder:
        """Make a new run folder for `config`, named after its data and the time of day.

        `prepared` tells that its trainer is started by another launcher, at some time.

        Raises:
            UserError: the folder of all runs cannot be written.
        """
        root = runs_root()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = f"{slug(Path(config.data).resolve().name)}-{stamp}"
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in _free_names(root / name):
                with suppress(FileExistsError):
                    path.mkdir(mode=0o700)
                    run = cls(path)
                    created = Created(created=time.time(), config=config, prepared=prepared)
                    write_atomically(run._config, [msgspec.json.encode(created)])
                    sync_folder(root)
                    return run
        except OSError as error:
            raise UserError(
                f"Runs cannot be kept in {root}: {error.strerror}.",
                "Free some space there, or name another folder in ALEXNET_TUI_RUNS.",
            ) from error
        raise AssertionError("names never run out")

    @classmethod
    def find(cls, wanted: str) -> RunFolder:
        """Return the run that `wanted` means: a run folder, its name, or a data folder's newest run.

        Raises:
            UserError: there is no such run.
        """
        path = expanded(wanted)
        for candidate in (path, runs_root() / wanted):
            # A data folder may have a `config.json` of its own, which is nobody's settings here.
            with suppress(OSError, ValueError, msgspec.MsgspecError):
                # By its own name, also where somebody stands in it and calls it `.`.
                run = cls(Path(os.path.abspath(candidate)))  # noqa: PTH100
                run.created()
                return run
        if os.path.isdir(path):  # noqa: PTH112  # unlike Path.is_dir it takes any text
            for run in cls.all(path):
                return run
            raise UserError(
                f"Nothing was trained on {path} yet.", f"Train on it: run_tui.py train {path}"
            )
        raise UserError(f"There is no run “{wanted}”.", "See which there are: run_tui.py runs")

    @classmethod
    def all(cls, data: Path | None = None) -> list[RunFolder]:
        """Return all runs, or those on the folder `data`, the newest first."""
        found = []
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            for path in runs_root().iterdir():
                run = cls(path)
                if path.name.startswith("."):
                    continue
                # A folder without settings is no run, or one that died before it was written.
                with suppress(OSError, msgspec.MsgspecError):
                    created = run.created()
                    if data is None or same_folder(data, created.config.data):
                        found.append((created.created, run))
        return [run for _, run in sorted(found, key=lambda pair: -pair[0])]

    @classmethod
    def traces(cls) -> dict[str, int]:
        """Return by the name of each run when its log was written last, 0 before that.

        While they stay the same no run was begun, resumed or deleted, and the list need not be read.
        """
        found = {}
        with suppress(OSError), os.scandir(runs_root()) as entries:
            for entry in entries:
                found[entry.name] = 0
                with suppress(OSError):
                    # A `Path` for each of a thousand runs would take five times as long.
                    log = os.stat(f"{entry.path}/{_LOG}")  # noqa: PTH116
                    found[entry.name] = log.st_mtime_ns
        return found

    def created(self) -> Created:
        """Return the settings and when they were chosen.

        Raises:
            OSError, msgspec.MsgspecError: they cannot be read.
        """
        return read_created(self._config)

    def unknown_settings(self) -> list[str]:
        """Return the names of settings that a newer version of this program gave this run.

        Raises:
            OSError, msgspec.MsgspecError: they cannot be read.
        """
        return unknown_settings(self._config)

    def config(self) -> TrainConfig:
        """Return the settings of this run.

        Raises:
            UserError: they cannot be read.
        """
        try:
            return self.created().config
        except (OSError, msgspec.MsgspecError) as error:
            raise UserError(
                f"The settings of run {self.name} cannot be read.",
                f"The folder {self.path} is damaged; its other files are untouched.",
            ) from error

    def writer(self) -> EventWriter:
        """Open the log for the one process that trains."""
        return KeepingWriter(self._events, self._bookmark)

    def reader(self) -> EventReader:
        """Open the log from its first event on."""
        return EventReader(self._events)

    def replay(self) -> Replay:
        """Open the log to be folded, from its bookmark on where there is one; blocks for milliseconds."""
        return Replay(self._events, self._bookmark)

    def past_events(self) -> Iterator[ev.AnyEvent]:
        """Yield what the run has said so far, but for its steps, of which there may be millions."""
        return read_rare(self._events)

    def epoch_reader(self) -> EpochReader:
        """Open the log for its epochs alone, from the first on."""
        return EpochReader(self._events)

    def beating(self) -> AbstractContextManager[None]:
        """Return the context in which the trainer gives signs of life, also while it says nothing."""
        return beating(self._events)

    def silence(self) -> Silence:
        """Return what tells how long there was no sign of life."""
        return Silence(self._events)

    def count_events(self) -> int:
        """Return how many events the log has so far."""
        reader, found = self.reader(), 0
        while events := reader.read():
            found += len(events)
        return found

    def order(self, order: Order) -> None:
        """Tell the trainer what to do next; a newer order takes the place of an older one.

        Raises:
            UserError: it cannot be written down.
        """
        try:
            write_atomically(self._control, [f"{order}\n".encode()])
        except OSError as error:
            title = f"The order for {self.name} cannot be written down: {error.strerror}."
            raise UserError(title, f"See to it that {self.path} can be written to.") from error

    def orders(self) -> OrderReader:
        """Return what reads orders on the trainer's side."""
        return OrderReader(self._control)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process; the kernel lets go of it when the process dies.

        Raises:
            UserError: another process trains this run.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock, timeout=LOCK_PATIENCE_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                f"The run {self.name} is being trained already.",
                f"Watch it: run_tui.py watch {self.name}",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def alive(self) -> bool:
        """Tell whether a process trains this run, or was started for it a moment ago."""
        # What `lock` takes, asked for by hand: a list asks it of a thousand runs.
        with suppress(OSError):
            descriptor = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
        young = not self.has_begun() and self._age() < START_GRACE_SECONDS
        return young and not self.awaited()

    def awaited(self) -> bool:
        """Tell whether the run was prepared for a launcher that has not begun it yet."""
        with suppress(OSError, msgspec.MsgspecError):
            return not self.has_begun() and self.created().prepared
        return False

    def has_begun(self) -> bool:
        """Tell whether a trainer has opened the log, which it does with the lock in hand."""
        return self._events.exists()

    def log_size(self) -> int:
        """Return the length of the log in bytes, -1 before a trainer has opened it."""
        try:
            return self._events.stat().st_size
        except OSError:
            return -1

    def checkpoints(self) -> Checkpoints:
        """Open the checkpoints, for the one process that trains."""
        return Checkpoints(self.path / "checkpoints")

    def summary(self) -> RunSummary:
        """Return what a list shows of this run, from its settings and the ends of its log.

        Raises:
            OSError, msgspec.MsgspecError: the settings cannot be read.
        """
        created = self.created()
        events = read_ends(self._events, END_BYTES, MOST_END_BYTES)
        words = (self.path, created.created, created.config, events)
        return summary(*words, self.alive, self.awaited())

    def stamp(self) -> tuple[int, ...]:
        """Return numbers that change whenever the settings or the log do.

        Raises:
            OSError: the settings cannot be seen.
        """
        created = self._config.stat()
        try:
            log = self._events.stat()
        except FileNotFoundError:
            return (created.st_mtime_ns,)
        return created.st_mtime_ns, log.st_mtime_ns, log.st_size

    def last_words(self, lines: int = 20) -> str:
        """Return the end of what the worker said outside its events, for the one who mends it."""
        with suppress(OSError):
            text = self.worker_log.read_bytes()[-16_384:].decode(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def write_split(self, manifest: bytes) -> None:
        """Keep which picture is in which part."""
        write_atomically(self.split, [manifest])

    def test_answers(self) -> Iterator[Told]:
        """Yield the answers on the test part without their probabilities, none where there are none.

        Raises:
            OSError: they cannot be read.
        """
        with (
            suppress(FileNotFoundError),
            self.predictions.open("rb", buffering=_PIECE_BYTES) as file,
        ):
            yield from brief(file)

    def results(self) -> Snapshot:
        """Return what the events of this run add up to but for its steps."""
        awaited, alive = self.awaited(), self.alive()
        view = RunView()
        view.apply(self.past_events())
        return view.snapshot(alive, awaited)

    def read_split(self) -> bytes:
        """Return what `write_split` kept.

        Raises:
            OSError: it is not there.
        """
        return self.split.read_bytes()

    def write_predictions(self, lines: bytes) -> None:
        """Keep the answers on the test part, one JSON object a line."""
        write_atomically(self.predictions, [lines])

    def test_digests(self) -> dict[str, str]:
        """Return path and content hash of each test picture, none where they are not known."""
        return read_digests(self.split)

    @property
    def worker_log(self) -> Path:
        """Where the worker's stdout and stderr go."""
        return self.path / "worker.log"

    @property
    def model(self) -> Path:
        """The run's own copy of its model: the best weights so far, then the finished file."""
        return self.path / MODEL_NAME

    @property
    def predictions(self) -> Path:
        """The answers on the test part, one JSON object a line."""
        return self.path / "test.jsonl"

    @property
    def split(self) -> Path:
        """Which picture is in which part."""
        return self.path / "split.json"

    @property
    def _config(self) -> Path:
        return self.path / "config.json"

    @property
    def _events(self) -> Path:
        return self.path / _LOG

    @property
    def _bookmark(self) -> Path:
        return self.path / "bookmark"

    @property
    def _control(self) -> Path:
        return self.path / "control"

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    def _age(self) -> float:
        with suppress(OSError):
            return time.time() - self._config.stat().st_mtime
        return float("inf")


def _free_names(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, 10_000):
        yield path.with_name(f"{path.name}-{number}")
