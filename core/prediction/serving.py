"""The warm process: it reads one model file and nothing else from outside, then answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.model import bundle
from core.prediction import frames
from core.processes import die_with_parent


def serve(model_path: str) -> None:
    """Answer requests on stdin until it closes."""
    die_with_parent()
    requests, answers = frames.private_streams()
    # Torch takes seconds to load, in which the file is read and verified by a thread.
    with ThreadPoolExecutor(1) as beside:
        loading = beside.submit(bundle.load, Path(model_path))
        from core.prediction.predictor import Predictor

        try:
            model = loading.result()
        except UserError as error:
            frames.write(answers, frames.Ready(title=error.title, hint=error.hint))
            return
    predictor, digest = Predictor(model), model.digest
    # The file's tensors are not needed any more: the largest is folded.
    del model, loading
    predictor.warm_up()
    frames.write(answers, frames.Ready(digest=digest))
    while (request := frames.read(requests, frames.PredictRequest)) is not None:
        pixels = np.frombuffer(bytearray(request.pixels), np.uint8)
        answer = predictor.probabilities(pixels.reshape(request.count, *predictor.shape))
        frames.write(answers, frames.PredictAnswer(probabilities=answer.tolist()))
