"""A saved model on a folder of class folders: read as in training, dealt as in training, judged as there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
from torch import nn

from core.config import names_in
from core.dataset import decode as dec
from core.dataset.decoders import Decoders
from core.dataset.folder import Scan, scan
from core.dataset.intake import Plan, class_names, deal
from core.dataset.pixels import Pictures, Progress, prepare
from core.dataset.split import Manifest, Member
from core.dataset.walk import NO_PICTURE
from core.errors import UserError
from core.evaluation.answers import answer
from core.evaluation.metrics import evaluated, majority
from core.evaluation.mistakes import mistakes
from core.evaluation.notes import notes
from core.evaluation.result import Evaluation, Part
from core.model import alexnet, bundle
from core.model.card import Card, Preprocessing
from core.runs.answers import Told
from core.text import readable, readable_path, safe_text
from core.training import batches, device

# So many pictures are in memory at once.
PIECE = 512
WORST = 20
_ALL = "It cannot be dealt into parts; to judge all its pictures: --part all"


class _Settings(msgspec.Struct, frozen=True):
    """Those settings of the training that deal the pictures."""

    split: Annotated[int, msgspec.Meta(ge=1, le=99)] = 80
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    group: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    without: str | None = None


@dataclass(frozen=True)
class _Chosen:
    """The rows to answer, each with the index of its class in the model, and the classes it lacks."""

    rows: list[int]
    labels: list[int]
    unknown: dict[str, int]


def evaluate(model_path: Path, data: Path, part: Part, tell: Progress) -> Evaluation:
    """Answer a part of the pictures in `data` and judge the answers; `tell` hears (done, total), twice over.

    Raises:
        UserError: the model cannot be used, nothing in `data` can be read, or it knows none of its classes.
    """
    began = time.monotonic()
    model = bundle.load(model_path)
    card = model.card
    where = device.choose("auto")
    plan = _plan(card)
    found = _scanned(data, part, plan)
    pictures = prepare(found, card.preprocessing.image_size, tell, to_train=True)
    manifest = _dealt(found, pictures, plan, part)
    chosen = _chosen(found, pictures, manifest, card, part)
    network = alexnet.from_tensors(model.tensors).to(where)
    answers, loss = _answered(network, found, pictures, chosen, card, where, tell)
    index = {name: k for k, name in enumerate(card.classes)}
    score = evaluated(
        [index[told.truth] for told in answers],
        [index[told.label] for told in answers],
        card.classes,
        loss,
    )
    most, baseline = majority(score.confusion)
    same = manifest is not None and manifest.digest() == card.split_hash
    worst = mistakes(answers)
    assert worst is not None
    result = Evaluation(
        **{name: getattr(score, name) for name in score.__struct_fields__},
        model=readable(str(model.path)),
        data=readable(str(data)),
        part=part,
        trained=_trained(manifest, part) if same else None,
        baseline=baseline,
        baseline_class=card.classes[most],
        mean_confidence=worst.mean_confidence,
        calibration=worst.calibration,
        unknown_classes=chosen.unknown,
        left_out=[file for file in pictures.left_out if file.reason != NO_PICTURE],
        mistakes=[_for_people(told) for told in worst.wrong[:WORST]],
        notes=[],
        device=device.name(where),
        seconds=time.monotonic() - began,
    )
    return msgspec.structs.replace(result, notes=notes(result, card))


def _plan(card: Card) -> Plan:
    """Return how the pictures of the model's training were dealt.

    Raises:
        UserError: the model does not say so.
    """
    try:
        given = msgspec.convert(card.settings, _Settings)
        without = names_in(given.without)
    except ValueError as error:
        title = "The model file does not say how its pictures were dealt."
        raise UserError(title, "Use the model as train has written it.") from error
    return Plan(split=given.split, seed=given.seed, group=given.group, without=without)


def _scanned(data: Path, part: Part, plan: Plan) -> Scan:
    """Scan `data`, in which pictures that need no deal may be as few as they like."""
    if part == "all":
        return scan(data, to_train=False)
    try:
        return scan(data, without=plan.without)
    except UserError as error:
        # Where it is no folder of classes at all, this raises the same again.
        scan(data, to_train=False)
        raise UserError(error.title, _ALL) from error


def _dealt(found: Scan, pictures: Pictures, plan: Plan, part: Part) -> Manifest | None:
    """Return the deal by the plan of the model's training; None where all are taken and none fits.

    Raises:
        UserError: the pictures are too few for a deal that is needed.
    """
    try:
        return deal(found, pictures, plan).manifest
    except UserError as error:
        if not pictures.members:
            raise
        if part == "all":
            return None
        raise UserError(error.title, _ALL) from error


def _trained(manifest: Manifest | None, part: Part) -> int:
    return len(manifest.train) if manifest is not None and part == "all" else 0


def _chosen(
    found: Scan, pictures: Pictures, manifest: Manifest | None, card: Card, part: Part
) -> _Chosen:
    """Choose the pictures of `part`, whose classes are found in the model by their names."""
    names = class_names(found)
    known = {k: card.classes.index(name) for k, name in enumerate(names) if name in card.classes}
    if not known:
        raise UserError(
            f"The model knows none of the classes in {safe_text(found.root)}.",
            f"It knows {_some(card.classes)}; the folder has {_some(names)}.",
        )
    members: Sequence[Member] = pictures.members
    if part != "all" and manifest is not None:
        members = manifest.part(part)
    row = {member.path: i for i, member in enumerate(pictures.members)}
    unknown: dict[str, int] = {}
    rows, labels = [], []
    for member in members:
        if member.label in known:
            rows.append(row[member.path])
            labels.append(known[member.label])
        else:
            unknown[names[member.label]] = unknown.get(names[member.label], 0) + 1
    if not rows:
        raise UserError(
            f"No picture in {safe_text(found.root)} is of a class that the model knows.",
            f"It knows {_some(card.classes)}; all readable pictures are of {_some([*unknown])}.",
        )
    return _Chosen(rows, labels, unknown)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(safe_text(name, 24) for name in names[:6])
    return f"{shown} and {len(names) - 6:,} more" if len(names) > 6 else shown


def _answered(
    network: nn.Module,
    found: Scan,
    pictures: Pictures,
    chosen: _Chosen,
    card: Card,
    where: torch.device,
    tell: Progress,
) -> tuple[list[Told], float]:
    """Return the answers to the chosen pictures, and their mean loss in nats."""
    spec = card.preprocessing
    answers: list[Told] = []
    losses, done = 0.0, 0
    for picks, pixels in _pieces(found, pictures, chosen.rows, spec):
        labels = [chosen.labels[pick] for pick in picks]
        piece = batches.Part(pixels, [*range(len(picks))], labels, spec, where, "memory")
        said = answer(network, piece)
        losses += said.loss * len(picks)
        best = said.probabilities.max(1)
        for pick, label, told, confidence in zip(
            picks, labels, best.indices.tolist(), best.values.tolist(), strict=True
        ):
            path = pictures.members[chosen.rows[pick]].path
            answers.append(Told(path, card.classes[label], card.classes[told], confidence))
        done += len(picks)
        tell(done, len(chosen.rows))
    if not answers:
        raise UserError("None of the pictures can be read any more.", "Look at the data folder.")
    return answers, losses / len(answers)


def _pieces(
    found: Scan, pictures: Pictures, rows: list[int], spec: Preprocessing
) -> Iterator[tuple[list[int], dec.Pixels]]:
    """Yield places in `rows` with their pixels `(n, channels, stored_size, stored_size)`, as trained on."""
    if pictures.stored_size == spec.stored_size:
        for start in range(0, len(rows), PIECE):
            some = rows[start : start + PIECE]
            squares = [_as_seen(square, spec) for square in pictures.pixels[some]]
            yield [*range(start, start + len(some))], np.stack(squares)
        return
    # A folder of larger or smaller pictures than those of the training is kept in another size.
    members = [pictures.members[row] for row in rows]
    with Decoders(os.fspath(found.root)) as decoders:
        files = [(member.path, member.label) for member in members]
        decoded = enumerate(decoders.decode(files, spec.stored_size))
        while piece := list(islice(decoded, PIECE)):
            picks = [pick for pick, one in piece if one.square]
            squares = [
                _as_seen(np.frombuffer(one.square, np.uint8), spec)
                for _, one in piece
                if one.square
            ]
            if picks:
                yield picks, np.stack(squares)


def _as_seen(square: dec.Pixels, spec: Preprocessing) -> dec.Pixels:
    """Return a stored square, gray or in colour, with the model's channels."""
    square = square.reshape(-1, spec.stored_size, spec.stored_size)
    if len(square) == spec.channels:
        return square
    colour = square[0] if len(square) == 1 else np.ascontiguousarray(square.transpose(1, 2, 0))
    return dec.with_channels(colour, spec.channels)


def _for_people(told: Told) -> Told:
    return msgspec.structs.replace(told, path=readable_path(told.path))
