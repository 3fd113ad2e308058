"""What a run came to, in words: its summary, its classes, and single mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from textual.content import Content

from core import config as cfg
from core.engine import Outcome
from core.evaluation.calibration import Calibration
from core.evaluation.mistakes import Confused
from core.runs import events as ev
from core.runs.answers import Told
from core.runs.snapshot import LIVING
from core.text import count, duration, native, percent, readable_path, safe_text
from tui.commands import key_of
from tui.report import STATES, certificate, state_style
from tui.widgets.facts import Fact
from tui.words import NAME_WIDTH, column, home_path, lines, plain, tail

FAINT = "$foreground 60%"
# Of a bar that is full where all answers are right.
BAR_WIDTH = 20
# The columns of figures beside the name of a class, and how wide each is.
FIGURES = {"pictures": 9, "precision": 10, "recall": 8, "F1": 8}
LEAST_NAME, MOST_NAME = 5, 18
SORTS = (
    "as in the folder",
    "lowest F1 first",
    "lowest precision first",
    "lowest recall first",
    "most pictures first",
)
NO_TEST = "The test part was not read, so that there is nothing to show here."


def title(found: Outcome | None, run: str) -> Content:
    """Return which run this is and how it stands."""
    if found is None:
        return Content.assemble(plain(run, "bold"), (" · reading …", FAINT))
    now = found.now
    data = Path(now.started.data).name if now.started is not None else ""
    parts = [plain(data or run, "bold", NAME_WIDTH)]
    parts.append(Content.styled(STATES[now.state], state_style(now)))
    if now.evaluated is not None:
        parts.append(Content(f"{percent(now.evaluated.accuracy)} test"))
    parts.append(plain(run, FAINT))
    return Content(" · ").join(parts)


def tabs(parts: Sequence[str], shown: str) -> Content:
    """Return the parts of the report with their keys, the one that is shown in brackets."""
    styled = [
        Content.styled(f"[{key} {name}]", "bold $text-accent")
        if name == shown
        else Content.styled(f" {key} {name} ", FAINT)
        for key, name in enumerate(parts, 1)
    ]
    return Content(" ").join(styled)


def summary(
    found: Outcome, key: Callable[[str], str] = key_of, ascii_only: bool = False
) -> list[Fact]:
    """Return all that is to be known at one look; by `key` a command is called, which is named by its id."""
    return [*_result(found, key, ascii_only), ("", Content("")), *_trained(found)]


def _result(found: Outcome, key: Callable[[str], str], ascii_only: bool) -> Iterator[Fact]:
    now = found.now
    if now.failed is not None:
        title = plain(f"✗ {now.failed.title}", "bold $text-error")
        yield "Failed", lines(title, plain(now.failed.hint))
    tested = now.evaluated
    if tested is None:
        yield "Test", _untested(found, key)
        return
    wrong = round((1 - tested.accuracy) * tested.n)
    accuracy = (percent(tested.accuracy), "bold $text-success")
    pictures = f" of {count(tested.n, 'picture')}, {wrong:,} wrong"
    interval = f"95 % interval {percent(tested.low)} to {percent(tested.high)}"
    yield "Test", lines(Content.assemble(accuracy, pictures), Content(interval))
    if found.baseline is not None:
        yield "Baseline", _baseline(tested, *found.baseline)
    guess = math.log(max(len(tested.classes), 1))
    yield "Loss", Content(f"{tested.loss:.4f} (an even guess has {guess:.4f})")
    if found.mistakes is not None:
        yield "Confidence", _confidence(found.mistakes.mean_confidence, tested)
    if now.certified is not None:
        yield "File", certificate(now.certified)
    if found.mistakes is not None:
        yield "Calibration", _calibration(found.mistakes.calibration, ascii_only)


def _untested(found: Outcome, key: Callable[[str], str]) -> Content:
    if found.now.state in LIVING:
        return Content("The run is not over: the test part is read once, when training has ended.")
    said = "The test part was not read: the run ended before."
    if found.model is not None:
        classify = key("report.classify")
        said += f" Its best model so far is safe; {classify} classifies with it."
    return Content(said)


def _baseline(tested: ev.Evaluated, most: str, share: float) -> Content:
    said = Content.assemble(
        f"{percent(share)} by always answering “", plain(most, "", NAME_WIDTH), "”"
    )
    if tested.low <= share:
        warning = "! not clearly better than that"
        return lines(said, Content.styled(warning, "bold $text-warning"))
    return said


def _confidence(mean: float, tested: ev.Evaluated) -> Content:
    gap = mean - tested.accuracy
    points = f"{abs(gap) * 100:.1f} points"
    if tested.low <= mean <= tested.high:
        return Content(f"{percent(mean)} on average, as much as it is right")
    how = "surer than it is right" if gap > 0 else "less sure than it is right"
    return Content(f"{percent(mean)} on average: {points} {how}")


def _calibration(found: Calibration, ascii_only: bool) -> Content:
    """Return how often answers of about the same confidence are right, and where they should be."""
    mark, full, rest = "|#-" if ascii_only else "┃━─"
    said = [Content(f"error {percent(found.error)}; a bar should end at its {mark}")]
    for one in found.bins:
        right, at = round(one.accuracy * BAR_WIDTH), int(one.confidence * (BAR_WIDTH - 1))
        bar = (full * right).ljust(BAR_WIDTH, rest)
        said.append(
            Content.assemble(
                f"{one.low * 100:2.0f} to {one.high * 100:3.0f} % sure  ",
                (bar[:at], "$primary"),
                (mark, "bold $text-accent"),
                (bar[at + 1 :], "$primary"),
                f" {percent(one.accuracy):>7} right of {one.n:,}",
            )
        )
    return lines(*said)


def _trained(found: Outcome) -> Iterator[Fact]:
    """Yield what was trained on what, where, and for how long."""
    now = found.now
    data = found.config.data if found.config is not None else ""
    if data:
        yield "Data", plain(home_path(data))
    if now.dataset is not None:
        yield "Pictures", Content(_pictures(now.dataset))
    if found.config is not None:
        yield "Settings", plain(_settings(found.config))
    if now.started is not None:
        yield "Device", plain(f"{now.started.device_name}, {now.started.precision}")
    if now.epochs:
        yield "Epochs", Content(_epochs(found))
    if now.ended is not None:
        speed = f"{now.ended.images_per_second:,.0f} images/s"
        yield "Time", Content(f"{duration(now.ended.seconds)}, {speed}")
    if found.model is not None:
        yield "Model", plain(home_path(found.model))


def _pictures(data: ev.DatasetReady) -> str:
    parts = ((sum(getattr(data, part)), part) for part in ("train", "validation", "test"))
    said = ", ".join(f"{pictures:,} {part}" for pictures, part in parts)
    said += f"; {count(len(data.classes), 'class', 'classes')}"
    if data.left_out:
        said += f"; {count(data.left_out, 'file')} left out"
    return said


def _settings(config: cfg.TrainConfig) -> str:
    """Return the settings that a person has changed."""
    changed = [name for name in cfg.SETTINGS if getattr(config, name) != cfg.default(name)]
    if not changed:
        return "all by default"
    said = (f"{name.replace('_', ' ')} {cfg.shown(getattr(config, name))}" for name in changed)
    return f"{', '.join(said)}; else by default"


def _epochs(found: Outcome) -> str:
    now = found.now
    done = now.ended.epochs if now.ended is not None else now.epochs[-1].epoch
    said = f"{done:,} of {now.epochs_planned:,}"
    if now.best is not None:
        best = percent(now.best.validation_accuracy)
        said += f", the best was {now.best.epoch:,}: {best} validation"
    return said


def class_order(tested: ev.Evaluated, order: str) -> list[int]:
    """Return the classes by index, sorted as `order` (one of `SORTS`) says."""
    worth: dict[str, Sequence[float]] = {
        "lowest F1 first": tested.f1,
        "lowest precision first": tested.precision,
        "lowest recall first": tested.recall,
        "most pictures first": [-sum(row) for row in tested.confusion],
    }
    order_by = worth.get(order, range(len(tested.classes)))
    return sorted(range(len(tested.classes)), key=lambda k: order_by[k])


def class_head(width: int, sorted_by: str) -> Content:
    """Return how the classes are sorted, and the heads of the columns of `class_row`."""
    heads = "".join(f"{head:>{cells}}" for head, cells in FIGURES.items())
    row = f" {'class':<{_name_width(width)}}{heads}"
    return lines(Content.styled(f" {sorted_by}", FAINT), Content.styled(row, "bold"))


def class_row(tested: ev.Evaluated, k: int, width: int) -> str:
    """Return the figures of a class on a line of `width` cells."""
    shares = (percent(values[k]) for values in (tested.precision, tested.recall, tested.f1))
    told = zip((f"{sum(tested.confusion[k]):,}", *shares), FIGURES.values(), strict=True)
    figures = "".join(f"{figure:>{cells}}" for figure, cells in told)
    return f" {column(tested.classes[k], _name_width(width))}{figures}"


def _name_width(width: int) -> int:
    return max(min(width - sum(FIGURES.values()) - 2, NAME_WIDTH), 4)


def class_words(tested: ev.Evaluated, k: int) -> Content:
    """Return what was missed of a class, and what was taken for it."""
    row = tested.confusion[k]
    total, right = sum(row), row[k]
    taken = sum(other[k] for other in tested.confusion) - right
    name = plain(tested.classes[k], "bold", NAME_WIDTH)
    missed = Content.assemble(name, f": {total - right:,} of {count(total, 'picture')} missed")
    if total > right:
        worst = max((j for j in range(len(row)) if j != k), key=row.__getitem__)
        mostly = plain(tested.classes[worst], "", NAME_WIDTH)
        missed = Content.assemble(missed, ", most often taken for ", mostly, f" ({row[worst]:,})")
    others = count(taken, "picture of another class was", "pictures of other classes were")
    return lines(missed, Content(f"{others} taken for it"))


def cell_words(tested: ev.Evaluated, truth: int, answer: int) -> Content:
    """Return what a cell of the matrix says, on two lines."""
    pictures, total = tested.confusion[truth][answer], sum(tested.confusion[truth])
    share = f"{percent(pictures / total)} of " if total else ""
    name = plain(tested.classes[truth], "bold", NAME_WIDTH)
    amount = Content.assemble(f"{pictures:,} ({share}{count(total, 'picture')} of ", name, ")")
    if truth == answer:
        said = Content("answered right")
    else:
        said = Content.assemble("taken for ", plain(tested.classes[answer], "bold", NAME_WIDTH))
    return lines(amount, said)


def pair_row(tested: ev.Evaluated, pair: Confused, longest: int, width: int) -> str:
    """Return a pair of confused classes on a line of `width` cells, their names `longest` at most."""
    names = max(min(longest, (width - 30) // 2), LEAST_NAME)
    truth, answer = (column(tested.classes[k], names) for k in (pair.truth, pair.answer))
    return f" {pair.pictures:>7,} {percent(pair.share):>7}  {truth} taken for {answer}"


def name_width(answers: Sequence[Told], width: int) -> int:
    """Return how wide the columns of classes are on lines of `width` cells."""
    names = {name for told in answers for name in (told.truth, told.label)}
    longest = max((len(safe_text(name)) for name in names), default=0)
    return max(min(longest, MOST_NAME, (width - 24) // 2), LEAST_NAME)


def told_row(told: Told, names: int, width: int) -> str:
    """Return a test picture and its answer on a line of `width` cells, classes `names` cells wide."""
    left = max(width - 2 * names - 13, 1)
    path = tail(readable_path(told.path), left)
    truth, label = column(told.truth, names), column(told.label, names)
    return f" {percent(told.confidence):>7} {label} {truth}  {column(path, left)}"


def told_head(names: int) -> str:
    """Return the heads of the columns of `told_row`."""
    return f" {'sure':>7} {'said':<{names}} {'is':<{names}}  picture"


def told_words(told: Told, place: str) -> Content:
    """Return all that is known of a picture and its answer, and where it lies, in full."""
    said = Content.assemble(
        "It is ",
        plain(told.truth, "bold", NAME_WIDTH),
        "; the model says ",
        plain(told.label, "bold", NAME_WIDTH),
        f", sure to {percent(told.confidence)}",
        (" ✓" if told.truth == told.label else " ✗", "bold"),
    )
    return lines(said, Content.styled(safe_text(place), FAINT))


def told_path(found: Outcome, told: Told) -> Path:
    """Return where a test picture lies."""
    data = found.config.data if found.config is not None else ""
    if found.now.started is not None:
        data = found.now.started.data
    return Path(data) / native(told.path)
