"""What a reader of an evaluation must know before its figures are believed, in plain words."""

from __future__ import annotations

from core.evaluation.result import Evaluation
from core.files import same_folder
from core.model.card import Card
from core.text import count, safe_text

NAMED = 6


def notes(result: Evaluation, card: Card) -> list[str]:
    """Return a sentence on what the pictures were to the training, then on what was left out."""
    said = [_dealt(result, card)]
    if result.low <= result.baseline < 1:
        said.append(
            f"It is not clearly better than always answering “{safe_text(result.baseline_class, 40)}”."
        )
    if result.unknown_classes:
        pictures = count(sum(result.unknown_classes.values()), "picture")
        names = _named([*result.unknown_classes])
        said.append(f"{pictures} left out, of classes that the model does not know: {names}.")
    absent = [
        name for name, row in zip(result.classes, result.confusion, strict=True) if not any(row)
    ]
    if absent:
        said.append(f"There is no picture of {_named(absent)}, which the model knows.")
    if result.left_out:
        files = count(len(result.left_out), "file")
        said.append(f"{files} left out that cannot be read; the doctor names them.")
    return said


def _dealt(result: Evaluation, card: Card) -> str:
    """Return whether the model was trained on the pictures, as far as that can be told."""
    if result.trained is not None:
        if result.part == "all":
            return (
                f"{result.trained:,} of these {count(result.n, 'picture')} trained the model:"
                " on new pictures it will do worse."
            )
        if result.part == "validation":
            return (
                "None of these pictures trained the model, but they chose its best epoch:"
                " the test part is the fairer judge."
            )
        return "The split is that of the training: the model has never seen these pictures."
    if same_folder(result.data, str(card.settings.get("data", ""))):
        return (
            "The folder has changed since the model was trained on it, so that it is dealt anew:"
            " some of these pictures may have been trained on."
        )
    if result.part == "all":
        return (
            "This is not the folder that the model was trained on, as far as can be told; copies of"
            " pictures that trained it would flatter it."
        )
    return (
        f"This is not the folder that the model was trained on: these are the {result.part} part of"
        " this one, dealt in the same way. If all its pictures are new to the model, --part all uses"
        " them all."
    )


def _named(names: list[str]) -> str:
    shown = ", ".join(safe_text(name, 40) for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED:,} more" if len(names) > NAMED else shown
