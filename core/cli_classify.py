"""The verb `classify`: sources in, one line an answer out, in their order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path

from core.engine import Answer, Classifier, Engine, Heat, Refusal, Source
from core.errors import UserError
from core.lines import lines_from
from core.prediction.table import AnswerTable, opened_table
from core.printing import complain, print_json, say
from core.text import SHADES, safe_text

STDIN = "-"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `classify` takes, but for `--top`."""
    parser.add_argument("model", metavar="MODEL", help="a model file, or a trained data folder")
    parser.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help="a URL, a file, a folder, a quoted pattern such as 'p/*.jpg', a zip archive,"
        " or - for a list on stdin",
    )
    parser.add_argument("--csv", metavar="FILE", help="write the answers there as well")
    parser.add_argument(
        "--heat",
        action="store_true",
        help="show where each answer comes from: what it loses when a part of the picture is covered",
    )


async def classify(engine: Engine, chosen: argparse.Namespace) -> int:
    """Answer for all sources; 1 if some of them failed, 2 if all did."""
    if STDIN in chosen.sources and sys.stdin is None:
        raise UserError("There is no standard input to read a list from.", "Give the sources.")
    with ExitStack() as stack:
        async with engine.classifier(Path(chosen.model)) as classifier:
            printer = AnswerPrinter(stack, classifier.info.classes, chosen)
            sources = _singles(classifier, chosen.sources)
            async with aclosing(classifier.classify_all(sources, chosen.heat)) as outcomes:
                async for outcome in outcomes:
                    printer.show(outcome)
    if printer.failed:
        return 1 if printer.answered else 2
    return 0


async def _singles(classifier: Classifier, given: Sequence[str]) -> AsyncIterator[Source | Refusal]:
    for word in given:
        async for line in lines_from(sys.stdin.fileno()) if word == STDIN else _only(word):
            # An empty line of a list is no source; an empty argument is one that fails.
            if line.strip() or word != STDIN:
                async for source in classifier.gather(line):
                    yield source


async def _only(word: str) -> AsyncIterator[str]:
    yield word


class AnswerPrinter:
    """Prints answers and failures as they come, and into a CSV table where one is asked for."""

    def __init__(
        self, stack: ExitStack, classes: Sequence[str], chosen: argparse.Namespace
    ) -> None:
        self._json = chosen.json
        self._top = chosen.top
        self._table: AnswerTable | None = None
        self.answered = 0
        self.failed = 0
        if chosen.csv:
            self._table = AnswerTable(stack.enter_context(opened_table(chosen.csv)), classes)

    def show(self, outcome: Answer | Refusal) -> None:
        if isinstance(outcome, Refusal):
            self.failed += 1
            self._show_failure(outcome)
        else:
            self.answered += 1
            self._show_answer(outcome)
        if self._table:
            self._table.add(outcome)

    def _show_answer(self, answer: Answer) -> None:
        top = dict(list(answer.probabilities.items())[: self._top])
        if self._json:
            told = {
                "source": answer.source,
                "label": answer.label,
                "confidence": answer.confidence,
                "sure": answer.sure,
                "probabilities": top,
                "milliseconds": round(answer.milliseconds, 1),
            }
            print_json(told if answer.heat is None else told | {"heat": answer.heat})
        else:
            others = "".join(f"  {name} {share:.1%}" for name, share in list(top.items())[1:])
            unsure = "" if answer.sure else " (not sure)"
            say(f"{answer.source}: {answer.label} {answer.confidence:.1%}{unsure}{others}")
            if answer.heat is not None:
                for line in heat_lines(answer.label, answer.heat):
                    say(line)

    def _show_failure(self, refusal: Refusal) -> None:
        error = refusal.error
        if self._json:
            title, hint = safe_text(error.title), safe_text(error.hint)
            print_json({"source": refusal.source, "error": title, "hint": hint})
        else:
            complain(error)


def heat_lines(label: str, heat: Heat) -> Iterator[str]:
    """Yield what the model saw of a picture in shades, the fuller the more the answer loses without that part."""
    if heat.shows_nothing:
        yield f"  {label} comes from no part of the picture alone"
        return
    for row in heat.shares():
        yield "  " + "".join(2 * SHADES[round(share * (len(SHADES) - 1))] for share in row)
    yield f"  with the most telling patch covered, {label} has {heat.lowest:.1%}"
