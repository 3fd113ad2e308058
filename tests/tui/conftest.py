"""An engine that answers at once from what a test gives it, and the app around it."""

from __future__ import annotations

import asyncio
import dataclasses
import html
import math
import re
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pytest
from textual import events
from textual.message import Message
from textual.pilot import Pilot

from core.config import TrainConfig
from core.dataset.folder import Part
from core.engine import (
    Answer,
    ClassCount,
    Classifier,
    Costs,
    Engine,
    Finding,
    Heat,
    Inspection,
    LeftOutFile,
    Load,
    ModelInfo,
    Need,
    Picture,
    Refusal,
    Report,
    Sight,
    Sizes,
    Source,
    Speed,
    shown_source,
)
from core.errors import UserError
from core.model.card import Card, Preprocessing, Results
from core.runs import events as ev
from core.runs.folder import RunFolder, RunSummary
from core.runs.orders import Order
from core.runs.snapshot import RunView
from tui.app import AlexNetApp

SIZES = [(50, 15), (80, 24), (120, 40), (200, 60)]
# What a name from outside may hold; nothing of it may act on the screen.
HOSTILE = [
    "a[/]b[@click=app.quit]x",
    "[red]x\x1b]0;title\x07two\nlines\u202egpj",
    "n" * 200,
]
START = 1_700_000_000.0
# All of an answer comes from one cell in the upper left.
HEAT = Heat(
    cells=tuple(tuple(2.0 if (r, c) == (2, 2) else 0.0 for c in range(10)) for r in range(10)),
    lowest=0.412,
)


def gray(size: int = 16) -> Picture:
    """Return a small picture with a gradient."""
    rgb = bytes(
        value for y in range(size) for x in range(size) for value in (x * 8 % 256, y * 8 % 256, 128)
    )
    return Picture(width=size, height=size, rgb=rgb, original_width=640, original_height=640)


def inspection(
    folder: Path,
    classes: dict[str, int] | None = None,
    problem: UserError | None = None,
    suggestion: Path | None = None,
    dealt: tuple[Part, ...] = (),
) -> Inspection:
    """Return what the engine would find in a folder."""
    counts = {"happy": 5000, "sad": 4830} if classes is None else classes
    return Inspection(
        folder=folder,
        classes=tuple(ClassCount(name=name, pictures=n) for name, n in counts.items()),
        samples=() if problem else tuple(folder / name for name in ("a.png", "b.png", "c.png")),
        left_out=0,
        problem=problem,
        suggestion=suggestion,
        dealt=dealt,
    )


def report(**changes: object) -> Report:
    """Return what the doctor says of that folder, which is not all well: three findings, two files out."""
    fields: dict[str, object] = {
        "images": 9812,
        "classes": {"happy": 4990, "sad": 4822},
        "left_out": [
            LeftOutFile("happy/torn.jpg", "ends too early"),
            LeftOutFile("sad/note.png", "is empty"),
        ],
        "duplicates": 1,
        "parts": [(3591, 399, 1000), (3475, 383, 964)],
        "channels": 1,
        "smallest": (48, 48),
        "median": (48, 48),
        "largest": (64, 60),
        "findings": [
            Finding(
                kind="copies",
                level="note",
                text="1 copy of 1 picture, byte for byte: kept on one side of the split",
                groups=[["happy/a.jpg", "happy/b.jpg"]],
            ),
            Finding(
                kind="alpha", level="note", text="1 picture may be see-through", files=["x.png"]
            ),
            Finding(
                kind="blank",
                level="warning",
                text="1 picture is of one colour",
                files=["sad/c.jpg"],
            ),
        ],
        "trainable": True,
    }
    return Report(**{**fields, **changes})  # type: ignore[arg-type]


def beginning(data: str = "/data/faces-10k", epochs: int = 12) -> list[ev.AnyEvent]:
    """Return what a run says before its first step."""
    return [
        ev.RunStarted(
            time=START,
            run="faces-10k-20261123-210400",
            data=data,
            epochs=epochs,
            device="cuda:0",
            device_name="NVIDIA H100 80GB",
            precision="bf16",
            pid=4711,
        ),
        ev.Preparing(time=START + 1, stage="decode", done=9830, total=9830),
        ev.DatasetReady(
            time=START + 2,
            classes=["happy", "sad"],
            train=[3600, 3478],
            validation=[400, 386],
            test=[1000, 966],
            left_out=0,
            duplicates=3,
            channels=1,
            stored_size=48,
            split_hash="00",
        ),
        ev.TrainingStarted(
            time=START + 3,
            image_size=64,
            batch_size=128,
            steps_per_epoch=56,
            learning_rate=0.01,
            parameters=57_000_000,
            tier="device",
        ),
    ]


def epoch_events(epoch: int, epochs: int = 12) -> list[ev.AnyEvent]:
    """Return what a run says in the epoch numbered `epoch`, from 1."""
    said: list[ev.AnyEvent] = []
    for step in range((epoch - 1) * 56 + 4, epoch * 56 + 1, 4):
        done = step / (epochs * 56)
        said.append(
            ev.Step(
                time=START + 3 + step * 0.1,
                epoch=epoch,
                step=step,
                loss=0.7 * math.exp(-2 * done) + 0.06 * math.sin(step * 1.7),
                accuracy=min(0.55 + 0.4 * done**0.5 + 0.03 * math.sin(step), 1.0),
                learning_rate=0.01 * (1 - done),
                images_per_second=11_820,
            )
        )
    accuracy = 0.6 + 0.3 * (epoch / epochs) ** 0.5
    said.append(
        ev.EpochEnded(
            time=START + 3 + epoch * 5.6,
            epoch=epoch,
            step=epoch * 56,
            loss=0.4,
            accuracy=accuracy,
            validation_loss=0.75 * math.exp(-1.6 * epoch / epochs),
            validation_accuracy=accuracy,
            images_per_second=11_820,
            seconds=5.6,
            best=True,
            best_accuracy=accuracy,
            probes=[
                ev.Probe("h.png", "happy", "happy", 0.97),
                ev.Probe("s.png", "sad", "happy", 0.61),
            ],
        )
    )
    said.append(ev.Saved(time=START + 3 + epoch * 5.6, path="best.safetensors", epoch=epoch))
    return said


def ending(
    model: str = "/data/faces-10k/alexnet.safetensors", epochs: int = 12
) -> list[ev.AnyEvent]:
    """Return what a run says after its last epoch."""
    test = ev.Interval(accuracy=0.931, low=0.919, high=0.941, n=1966)
    return [
        ev.Evaluated(
            time=START + 80,
            classes=["happy", "sad"],
            confusion=[[940, 60], [76, 890]],
            accuracy=0.931,
            low=0.919,
            high=0.941,
            n=1966,
            loss=0.21,
            precision=[0.92, 0.94],
            recall=[0.94, 0.92],
            f1=[0.93, 0.93],
        ),
        ev.Certified(time=START + 85, n=64, same_label=64, largest_difference=3e-7, passed=True),
        ev.RunEnded(
            time=START + 86,
            run="faces-10k-20261123-210400",
            model=model,
            seconds=86,
            images_per_second=11_820,
            epochs=epochs,
            best_epoch=epochs,
            validation=ev.Accuracy(accuracy=0.9),
            test=test,
        ),
    ]


def training(epochs_done: int, data: str = "/data/faces-10k") -> list[ev.AnyEvent]:
    """Return the log of a run that has `epochs_done` of 12 epochs behind it."""
    said = beginning(data)
    for epoch in range(1, epochs_done + 1):
        said += epoch_events(epoch)
    return said


def summary(run: RunFolder, **changes: object) -> RunSummary:
    """Return how a list shows `run`: training in epoch 7 of 12 unless `changes` say otherwise."""
    fields: dict[str, object] = {
        "run": str(run.path),
        "name": run.name,
        "data": "/data/faces-10k",
        "created": START,
        "state": "training",
        "epoch": 7,
        "epochs": 12,
        "best_validation": 0.924,
        "test": None,
        "model": None,
        "seconds_left": 840.0,
    }
    return RunSummary(**{**fields, **changes})  # type: ignore[arg-type]


def finished(run: RunFolder, **changes: object) -> RunSummary:
    """Return how a list shows a finished run."""
    return summary(
        run,
        **{
            "state": "finished",
            "epoch": 12,
            "seconds_left": None,
            "test": ev.Interval(accuracy=0.931, low=0.92, high=0.942, n=1966),
            "model": "/data/faces-10k/alexnet.safetensors",
            **changes,
        },
    )


def model_info(
    classes: tuple[str, ...] = ("happy", "sad"), trained_on: str = "/data/faces-10k"
) -> ModelInfo:
    """Return what a model says of itself."""
    test = ev.Interval(accuracy=0.931, low=0.92, high=0.942, n=1966)
    card = Card(
        classes=list(classes),
        preprocessing=Preprocessing(stored_size=72, channels=1, image_size=64),
        settings={"data": trained_on},
        results=Results(epochs=12, best_epoch=11, validation_accuracy=0.924, test=test),
        split_hash="00",
    )
    return ModelInfo(
        path=Path(trained_on) / "alexnet.safetensors",
        classes=classes,
        image_size=64,
        trained_on=trained_on,
        created=START,
        epochs=12,
        best_epoch=11,
        validation_accuracy=0.924,
        test=test,
        settings=card.settings,
        split_hash=card.split_hash,
        card=card,
    )


class FakeClassifier(Classifier):
    """Answers as told; a source of the name `wait` is never answered."""

    def __init__(self, engine: FakeEngine, info: ModelInfo) -> None:
        super().__init__(info.path)
        self.engine = engine
        self.info = info

    async def __aenter__(self) -> Self:
        if self.engine.model_problem is not None:
            raise self.engine.model_problem
        self.engine.open_classifiers += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.engine.open_classifiers -= 1

    async def classify(self, source: str | Source) -> Answer:
        source = source.shown if isinstance(source, Source) else source
        self.engine.asked.append(source)
        if source.endswith("wait"):
            try:
                await asyncio.Event().wait()
            finally:
                self.engine.cancelled.append(source)
        if self.engine.answer is None or "broken" in source:
            raise UserError(f"{source} cannot be read: it is empty.", "Try another picture.")
        if source in self.engine.answers:
            return dataclasses.replace(self.engine.answers[source], source=source)
        return dataclasses.replace(self.engine.answer, source=shown_source(source))

    async def explain(self, answer: Answer) -> Answer:
        self.engine.explained.append(answer.source)
        if answer.source == "failing":
            raise UserError("The process that holds the model stopped twice.", "Is there memory?")
        if answer.source == "slow":
            try:
                await asyncio.Event().wait()
            finally:
                self.engine.cancelled.append(answer.source)
        return dataclasses.replace(answer, heat=HEAT)

    async def classify_all(
        self, sources: AsyncIterator[Source | Refusal], heat: bool = False
    ) -> AsyncGenerator[Answer | Refusal, None]:
        async for source in sources:
            if isinstance(source, Refusal):
                yield source
                continue
            name = Path(source.place).name
            try:
                yield await self.classify(name if name.endswith("wait") else source)
            except UserError as error:
                yield Refusal(source.shown, error)


class Update(NamedTuple):
    """What a watched run does next."""

    events: list[ev.AnyEvent]
    alive: bool
    silent: float = 0.0
    behind: bool = False


class FakeEngine(Engine):
    """What a test put into its attributes is what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[Path, Inspection] = {}
        self.summaries: list[RunSummary] = []
        self.log: list[ev.AnyEvent] = []
        self.trainer_lives = True
        self.refusal: UserError | None = None
        self.started: list[TrainConfig] = []
        self.orders: list[str] = []
        self.resumed: list[RunFolder] = []
        self.run: RunFolder | None = None
        self.loads_to_show: list[Load] = []
        self.previewed: list[Path] = []
        self.more: asyncio.Queue[Update | None] = asyncio.Queue()
        self.answer: Answer | None = answer("happy", 0.97)
        # What is answered for some sources in place of that.
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.explained: list[str] = []
        self.open_classifiers = 0
        self.model_problem: UserError | None = None
        self.info = model_info()
        self.report: Report | UserError = report()
        # What the doctor was asked for, and what of that was not heard to its end.
        self.examined: list[TrainConfig] = []
        self.left: list[TrainConfig] = []
        # The doctor reads on for as long as this is not set.
        self.read = asyncio.Event()
        self.read.set()
        self.costs_found = costs()
        # The classes that were left out when somebody looked last.
        self.without: tuple[str, ...] = ()
        # The speed that is known already, and what a measurement comes to: None goes on for ever.
        self.speed: Speed | None = None
        self.measurement: float | UserError | None = 125.0
        self.measured: list[TrainConfig] = []
        self.unmeasured: list[TrainConfig] = []

    async def inspect(self, data: Path, without: Sequence[str] = ()) -> Inspection:
        self.without = tuple(without)
        none = UserError(f"There are no class folders in {data}.", "Choose another folder.")
        return self.found.get(Path(data)) or inspection(Path(data), {}, none)

    async def costs(self, config: TrainConfig, sizes: Sizes) -> tuple[Costs, Speed | None]:
        return self.costs_found, self.speed

    async def measure(self, config: TrainConfig, sizes: Sizes) -> Speed:
        self.measured.append(config)
        if self.measurement is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.unmeasured.append(config)
        if isinstance(self.measurement, UserError):
            raise self.measurement
        assert self.measurement is not None
        return Speed(images_per_second=self.measurement, told_by="measurement")

    async def train(self, config: TrainConfig) -> RunFolder:
        self.started.append(config)
        if self.refusal is not None:
            raise self.refusal
        assert self.run is not None
        return self.run

    async def resume(self, run: RunFolder) -> RunFolder:
        if self.refusal is not None:
            raise self.refusal
        self.resumed.append(run)
        return run

    async def watch(self, run: RunFolder) -> AsyncIterator[Sight]:
        view = RunView()
        over = bool(self.log) and ev.is_last(self.log[-1])
        update: Update | None = Update(self.log, alive=self.trainer_lives and not over)
        while update is not None:
            view.apply(update.events)
            yield Sight(
                snapshot=view.snapshot(update.alive),
                alive=update.alive,
                silent=update.silent,
                behind=update.behind,
            )
            update = await self.more.get() if self.trainer_lives and not over else None

    async def runs(self, data: Path | None = None) -> list[RunSummary]:
        return self.summaries

    async def order(self, run: RunFolder, order: Order, end: bool = False) -> bool:
        if self.refusal is not None:
            raise self.refusal
        self.orders.append("end" if end else order)
        return end

    async def loads(self, run: ev.RunStarted, seconds: float) -> AsyncIterator[Load]:
        for load in self.loads_to_show:
            yield load

    async def preview(self, source: Path | Source, size: int = 48) -> Picture:
        self.previewed.append(Path(str(source)))
        return gray()

    async def model_info(self, model: Path) -> ModelInfo:
        if self.model_problem is not None:
            raise self.model_problem
        return self.info

    def classifier(self, model: Path) -> Classifier:
        return FakeClassifier(self, self.info)

    async def doctor(
        self, data: Path, config: TrainConfig | None = None
    ) -> AsyncIterator[tuple[int, int] | Report]:
        asked = config or TrainConfig(data=str(data))
        self.examined.append(asked)
        try:
            yield 3200, 10_000
            await self.read.wait()
        except asyncio.CancelledError:
            self.left.append(asked)
            raise
        if isinstance(self.report, UserError):
            raise self.report
        yield self.report

    async def demo(
        self, target: Path, images: int = 2000, seed: int = 0
    ) -> AsyncIterator[tuple[int, int]]:
        for done in (0, images // 2, images):
            yield done, images
        self.found[target] = inspection(target)


def costs(memory_free: int | None = 12 * 2**30, disk_free: int | None = 80 * 2**30) -> Costs:
    """Return what a training takes on a machine with so much free."""
    return Costs(
        on_gpu=False,
        device="CPU, 2 cores",
        batch_size=128,
        memory=Need(bytes=2 * 2**30, free=memory_free),
        disks=(Need(bytes=500 * 2**20, free=disk_free),),
    )


def answer(label: str, confidence: float, sure: bool = True) -> Answer:
    """Return what a classifier says of a picture."""
    rest = 1 - confidence
    return Answer(
        source="https://example.org/face.png",
        label=label,
        confidence=confidence,
        sure=sure,
        probabilities={label: confidence, "sad" if label != "sad" else "happy": rest},
        milliseconds=12.4,
        picture=gray(),
    )


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short name: how much of a path a screen shows must not depend on pytest's."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Return an engine with a data folder, and a real run folder for `train` to give."""
    monkeypatch.setenv("ALEXNET_TUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("ALEXNET_TUI_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    made = FakeEngine()
    data = tmp_path / "data" / "faces-10k"
    for name in ("happy", "sad"):
        (data / name).mkdir(parents=True)
    made.found[data] = inspection(data)
    made.run = RunFolder.create(TrainConfig(data=str(data)))
    return made


@pytest.fixture
def data(engine: FakeEngine) -> Path:
    """Return the data folder that can be trained on."""
    return next(iter(engine.found))


@pytest.fixture
def make_app(engine: FakeEngine, tmp_path: Path) -> Callable[[], AlexNetApp]:
    """Return what makes the app on that engine, opened on the folder above the data."""
    return lambda: AlexNetApp(engine, at=tmp_path / "data")


def screen_text(app: AlexNetApp) -> str:
    """Return all that stands on the screen, line by line, as a person would read it."""
    rows: dict[float, str] = {}
    cells = [
        (float(y), float(x), text)
        for x, y, text in _SVG_TEXT.findall(app.export_screenshot(simplify=True))
    ]
    for y, x, text in sorted(cells):
        rows[y] = rows.get(y, "").ljust(round(x / _SVG_CELL)) + html.unescape(text)
    return "\n".join(rows.values()).replace("\xa0", " ")


_SVG_CELL = 12.2
_SVG_TEXT = re.compile(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')


async def until(
    pilot: Pilot[None], condition: Callable[[], object], what: object = "waited in vain"
) -> None:
    """Wait until `condition` holds; fail after some seconds with what stands on the screen."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"{what}\n{screen_text(app_of(pilot))}"
        await pilot.pause(0.01)


async def shows(pilot: Pilot[None], *texts: str) -> str:
    """Wait until the screen shows all of `texts`, wherever its lines break; return all it shows."""
    missing = list(texts)
    text = ""

    def found() -> bool:
        nonlocal text
        text = screen_text(app_of(pilot))
        missing[:] = [part for part in texts if part not in text and part not in _unbroken(text)]
        return not missing

    await until(pilot, found, missing)
    return text


def _unbroken(text: str) -> str:
    return " ".join(text.split())


def app_of(pilot: Pilot[None]) -> AlexNetApp:
    """Return the app that `pilot` steers."""
    assert isinstance(pilot.app, AlexNetApp)
    return pilot.app


async def opened(pilot: Pilot[None], section: str) -> None:
    """Wait until the screen `section` is shown."""
    await until(
        pilot, lambda: getattr(pilot.app.screen, "SECTION", "") == section, f"no screen {section}"
    )
    await pilot.pause(0)


async def paste(pilot: Pilot[None], text: str, *then: str) -> None:
    """Paste `text` into what has the focus, then press some keys."""
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()
    await pilot.press(*then)


@asynccontextmanager
async def opening(
    app: AlexNetApp, message: Message, section: str, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Pilot[None]]:
    """Run `app` in a window of `size` and open the screen `section` by `message`."""
    async with app.run_test(size=size) as pilot:
        app.post_message(message)
        await opened(pilot, section)
        yield pilot
