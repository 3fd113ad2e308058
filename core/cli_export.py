"""The verb `export`: a model for use elsewhere."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from core.engine import Engine
from core.errors import UserError
from core.files import expanded
from core.live import result_of
from core.model.formats import ENDINGS, Exported
from core.model.place import model_path
from core.printing import tell
from core.tasks import Progress, told
from core.text import safe_text


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("model", metavar="MODEL", help="a model file, or a trained data folder")
    parser.add_argument("--format", choices=ENDINGS, required=True)
    parser.add_argument("--out", metavar="FILE", help="where to (default: the current folder)")


async def export(engine: Engine, chosen: argparse.Namespace) -> int:
    """Write a model as another program wants it; never over a file that was not named."""
    model = model_path(expanded(chosen.model)).absolute()
    named = expanded(chosen.out) if chosen.out else Path(model.stem + ENDINGS[chosen.format])
    target = named.absolute()
    if not chosen.out and os.path.lexists(target):
        raise UserError(f"{safe_text(target)} is there already.", "Name a file by --out.")
    work: AsyncIterator[Progress | Exported] = told(
        Exported, "export", str(model), chosen.format, str(target)
    )
    tell(await result_of(work, "export", "steps"), chosen.json, lines)
    return 0


def lines(found: Exported) -> Iterator[str]:
    """Yield what was written and how to use it, for people."""
    yield f"written to {found.file}"
    classes = ", ".join(safe_text(name, 40) for name in found.classes[:20])
    yield f"classes     {classes}" + (" …" if len(found.classes) > 20 else "")
    if found.format == "state-dict":
        yield (
            f"use         torchvision.models.alexnet(num_classes={len(found.classes)})"
            f".load_state_dict(safetensors.torch.load_file({found.file!r}))"
        )
        yield "            without normalisation, mirror image and temperature: info MODEL --json names them"
        return
    shape = " × ".join(str(side) for side in found.input)
    yield f"input       {shape} float32, 0 to 255: the middle square, scaled, {_colours(found)}"
    yield f"output      probabilities, N × {len(found.classes)}, as classify gives them"


def _colours(found: Exported) -> str:
    return "gray" if found.input[1] == 1 else "red, green, blue"
