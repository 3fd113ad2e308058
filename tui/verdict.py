"""What a model and its answers say of themselves, in a line or two."""

from __future__ import annotations

from pathlib import Path

from textual.content import Content

from core.engine import Answer, Heat, ModelInfo, Refusal
from core.text import count, percent, safe_text
from tui.answers import Outcome
from tui.words import NAME_WIDTH, column, lines, plain, tail


def model_words(info: ModelInfo) -> Content:
    """Return what a model says of itself, on one line."""
    parts = [count(len(info.classes), "class", "classes"), f"{info.image_size} px"]
    if info.test is not None:
        parts.append(f"test {percent(info.test.accuracy)}")
    elif info.validation_accuracy is not None:
        parts.append(f"validation {percent(info.validation_accuracy)}")
    trained_on = plain(Path(info.trained_on).name, "bold", NAME_WIDTH)
    return Content.assemble("model of ", trained_on, f" · {' · '.join(parts)}")


def answer_words(answer: Answer) -> Content:
    """Return the label with its confidence, or that the model is not sure."""
    style = "bold $text-success" if answer.sure else "bold $text-warning"
    label = plain(answer.label, style, NAME_WIDTH)
    says = Content.assemble(label, (f"  {percent(answer.confidence)}", style))
    if not answer.sure:
        says = Content.assemble(("not sure: ", style), "perhaps ", says)
    about = f"answered in {answer.milliseconds:,.0f} ms"
    if answer.picture is not None:
        width, height = answer.picture.original_width, answer.picture.original_height
        about = f"{width} × {height} pixels, {about}"
    heat = [heat_words(answer.heat)] if answer.heat is not None else []
    return lines(says, Content.styled(about, "$foreground 60%"), *heat)


def heat_words(heat: Heat) -> Content:
    """Return in words what a heat map shows."""
    if heat.shows_nothing:
        words = "it comes from no part of the picture alone"
    else:
        words = (
            f"what it comes from stands out; its most telling patch covered: {percent(heat.lowest)}"
        )
    return Content.styled(words, "$foreground 60%")


def history_words(outcome: Outcome) -> Content:
    """Return one line of the answers so far."""
    where = plain(f"  {tail(safe_text(outcome.source), 60)}", "$foreground 60%")
    if isinstance(outcome, Refusal):
        return Content.assemble((f"{'✗ no answer':<24}", "$text-error"), where)
    sure = "" if outcome.sure else "?"
    return Content.assemble(
        column(outcome.label, 14),
        f" {percent(outcome.confidence):>7} {sure:1}",
        where,
    )
