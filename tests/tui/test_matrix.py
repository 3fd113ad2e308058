"""Every screen in every size and in every kind of colours: nothing that matters is cut, hidden or overlapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from textual.color import Color as Colour
from textual.message import Message
from textual.widget import Widget

from tests.tui.conftest import (
    SIZES,
    FakeEngine,
    ending,
    finished,
    opened,
    screen_text,
    summary,
    training,
    until,
)
from tests.tui.reports import finished_run
from tui.app import AlexNetApp
from tui.messages import (
    OpenBrowse,
    OpenClassify,
    OpenConfigure,
    OpenDemo,
    OpenReport,
    OpenRun,
    OpenRuns,
    OpenSettings,
)
from tui.widgets.chart import Chart

KINDS = ("dark", "light", "no colour", "ascii")
# Below the accent of Textual's own light theme (2.8) and a hint on the marked line (2.5), words fade.
LEAST_CONTRAST = 2.45


@dataclass(frozen=True)
class Case:
    """A screen: its section, how it is opened, and the words without which it is of no use."""

    section: str
    message: Callable[[FakeEngine], Message | None]
    words: tuple[str, ...]
    prepare: Callable[[FakeEngine], None] = lambda _: None
    # What is pressed on the screen that the message opens.
    keys: tuple[str, ...] = ()


def _data(engine: FakeEngine) -> Path:
    return next(iter(engine.found))


def _run(engine: FakeEngine) -> OpenRun:
    assert engine.run is not None
    return OpenRun(engine.run)


def _learning(engine: FakeEngine) -> None:
    engine.log = training(7)


def _over(engine: FakeEngine) -> None:
    engine.log = [*training(12), *ending()]


def _two_over(engine: FakeEngine) -> None:
    runs = [finished_run(_data(engine), ["happy", "sad"], seed=seed) for seed in (0, 1)]
    engine.summaries = [run.summary() for run in runs]


# Marks the first two lines of a table: a mark leads to the next line.
MARK_TWO = ("space", "space")

# A new screen needs a line here, and nothing else in this file.
CASES = {
    "home": Case("home", lambda _: None, ("AlexNet in your terminal", "running now", "1  Train")),
    "browse": Case("browse", lambda engine: OpenBrowse(_data(engine)), ("9,830 pictures",)),
    "configure": Case(
        "configure", lambda engine: OpenConfigure(_data(engine)), ("Split", "Epochs", "start")
    ),
    "dashboard": Case("dashboard", _run, ("training", "epoch 7/12", "images/s"), _learning),
    "dashboard, over": Case("dashboard", _run, ("finished", "Test accuracy 93.1 %"), _over),
    "classify": Case("classify", lambda engine: OpenClassify(_data(engine)), ("URL", "faces-10k")),
    "runs": Case("runs", lambda _: OpenRuns(), ("faces-10k", "93.1 %")),
    "report": Case(
        "report",
        lambda engine: OpenReport(finished_run(_data(engine), ["happy", "sad"])),
        ("89.0 % of 100 pictures", "95 % interval"),
    ),
    "settings": Case("settings", lambda _: OpenSettings(), ("Theme", "settings.toml")),
    "keys": Case("keys", lambda _: OpenSettings(), ("Keys", "everywhere", "?, F1"), keys=("f2",)),
    "overlay": Case(
        "overlay",
        lambda _: OpenRuns(),
        ("validation accuracy", "epoch"),
        _two_over,
        (*MARK_TWO, "o"),
    ),
    "compare": Case(
        "compare", lambda _: OpenRuns(), ("2 runs side by side",), _two_over, (*MARK_TWO, "d")
    ),
    "demo": Case("demo", lambda _: OpenDemo(), ("happy and sad faces",)),
}


@pytest.fixture(params=KINDS)
def app(
    request: pytest.FixtureRequest,
    engine: FakeEngine,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AlexNetApp:
    """The app in one kind of colours, with a run that lives and one that is over."""
    if request.param == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    assert engine.run is not None
    engine.summaries = [summary(engine.run), finished(engine.run)]
    made = AlexNetApp(engine, at=data.parent, ascii_only=request.param == "ascii")
    if request.param == "light":
        made.theme = "textual-light"
    return made


@pytest.mark.parametrize("case", CASES)
async def test_nothing_that_matters_is_cut_or_hidden(
    app: AlexNetApp, engine: FakeEngine, case: str
) -> None:
    wanted = CASES[case]
    wanted.prepare(engine)
    async with app.run_test(size=SIZES[0]) as pilot:
        if message := wanted.message(engine):
            app.post_message(message)
        if wanted.keys:
            await pilot.pause(0.3)
            await pilot.press(*wanted.keys)
        await opened(pilot, wanted.section)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: all_shown(app, wanted.words), wanted.words)
            problems = [*misplaced(app), *unreadable(app), *unwanted(app), *foot(app)]
            assert not problems, f"{case} at {size}: {problems[:5]}\n{screen_text(app)}"


def all_shown(app: AlexNetApp, words: tuple[str, ...]) -> bool:
    """Tell whether the screen shows `words`, and all charts that can be seen are drawn."""
    text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
    return all(word in text for word in words) and all(
        chart._drawn == chart._wanted for chart in app.screen.query(Chart) if chart.size
    )


def misplaced(app: AlexNetApp) -> Iterator[str]:
    """Yield which widgets are cut where nothing scrolls, or lie on one another."""
    seen = []
    for widget in app.screen.walk_children(Widget):
        if any(child.display for child in widget.children) or not widget.is_on_screen:
            continue
        place = app.screen.find_widget(widget)
        if place.region and place.region != place.visible_region and not _scrolled(widget):
            yield f"{widget} at {place.region} is cut to {place.visible_region}"
        if place.visible_region:
            seen.append((widget, place.visible_region))
    for (a, there), (b, here) in combinations(seen, 2):
        if a.layer == b.layer and there.overlaps(here):
            yield f"{a} at {there} and {b} at {here} overlap"


def _scrolled(widget: Widget) -> bool:
    return any(isinstance(node, Widget) and node.max_scroll_y for node in widget.ancestors)


def segments(app: AlexNetApp) -> Iterator[Segment]:
    """Yield what goes to the terminal, piece by piece."""
    for strip in app.screen._compositor.render_strips():
        yield from strip


def unreadable(app: AlexNetApp) -> Iterator[str]:
    """Yield words that hardly differ from what is behind them, also where there are 16 colours only."""
    for text, style, _ in segments(app):
        if style is None or not any(map(str.isalnum, text)):
            continue
        assert style.color is not None and style.bgcolor is not None
        pair = (style.bgcolor, style.color) if style.reverse else (style.color, style.bgcolor)
        ratio = contrast(*(Colour(*color.get_truecolor()) for color in pair))
        if ratio < LEAST_CONTRAST:
            yield f"{text!r} has a contrast of {ratio:.1f}"
        few = [color.downgrade(ColorSystem.STANDARD).number for color in pair]
        if few[0] == few[1]:
            yield f"{text!r} is of one colour with its ground where there are 16"


def contrast(ink: Colour, ground: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""
    dark, light = sorted(map(_luminance, (ink, ground)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Colour) -> float:
    parts = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in color.normalized
    )
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def unwanted(app: AlexNetApp) -> Iterator[str]:
    """Yield signs that are not ASCII, or colours, where there should be none."""
    for text, style, _ in segments(app):
        if app.ascii_only and not text.isascii():
            yield f"{text!r} is not ASCII"
        for color in (style.color, style.bgcolor) if style and app.no_color else ():
            if color is not None and len(set(color.get_truecolor())) > 1:
                yield f"{text!r} is coloured"


def foot(app: AlexNetApp) -> Iterator[str]:
    """Yield what is wrong with the last line: it names help and the way out first."""
    words = "".join(segment.text for segment in app.screen._compositor.render_strips()[-1]).split()
    if words[:2] not in (["?", "help"], ["F1", "help"]) or words[3] not in (
        "back",
        "leave",
        "quit",
    ):
        yield f"the foot says {words}"
