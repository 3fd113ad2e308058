"""The proof that the saved file answers as the trained model did: a fresh process classifies with it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from core.dataset.decoders import decode_file
from core.dataset.split import Manifest
from core.errors import RunFailedError
from core.model import bundle
from core.prediction.predictor import Predictor
from core.runs.answers import KeptAnswer
from core.runs.events import Certified
from core.runs.folder import RunFolder

PICTURES = 200
BATCH = 20
# Two orders of summation of the same 1e7 products differ by less.
TOLERANCE = 1e-5


def certify(run: RunFolder, model_path: Path) -> Certified:
    """Classify test pictures of `run` from their files and compare with what training answered.

    At most `PICTURES`, evenly spread; a picture that has changed or gone since is not compared.

    Raises:
        UserError: the model file cannot be used.
        RunFailedError: no test picture can be read any more.
    """
    model = bundle.load(model_path)
    manifest = msgspec.json.decode(run.split.read_bytes(), type=Manifest)
    lines = run.predictions.read_bytes().splitlines()
    count = min(len(lines), PICTURES)
    chosen = [lines[i * len(lines) // count] for i in range(count)]
    expected = [msgspec.json.decode(line, type=KeptAnswer) for line in chosen]
    digests = {member.path: member.digest for member in manifest.test}
    spec = model.card.preprocessing
    pixels, kept = [], []
    for line in expected:
        file, square = decode_file(manifest.data, (line.path, 0), spec.stored_size)
        if square is not None and file.digest == digests[line.path]:
            # A gray picture among coloured ones is stored in all three channels.
            pixels.append(square.repeat(spec.channels // len(square), axis=0))
            kept.append(line)
    if not kept:
        raise RunFailedError("No test picture can be read any more.", "Look at the data folder.")
    predictor = Predictor(model)
    answers = []
    for start in range(0, len(kept), BATCH):
        answers += predictor.probabilities(np.stack(pixels[start : start + BATCH])).tolist()
    classes = model.card.classes
    same = sum(
        classes[max(range(len(row)), key=row.__getitem__)] == line.label
        for row, line in zip(answers, kept, strict=True)
    )
    difference = float(
        np.abs(np.array(answers) - np.array([line.probabilities for line in kept])).max()
    )
    return Certified(
        n=len(kept),
        same_label=same,
        largest_difference=difference,
        passed=same == len(kept) and difference <= TOLERANCE,
    )
