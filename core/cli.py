"""The headless verbs: everything a screen does, as a command with exit codes and JSON."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from core import config as cfg
from core.cli_classify import add_options as add_classify_options
from core.cli_classify import classify
from core.cli_evaluate import add_options as add_evaluate_options
from core.cli_evaluate import evaluate
from core.cli_export import add_options as add_export_options
from core.cli_export import export
from core.cli_follow import INTERRUPTED, add_prepare, follow_new, resume, tell_prepared
from core.cli_runs import add_run, add_run_verbs
from core.cli_settings import add_options as add_settings_options
from core.cli_settings import settings
from core.dataset.report import FER2013_CLASSES, Imported
from core.engine import Engine, Report
from core.errors import UserError
from core.files import expanded
from core.live import LiveLine, result_of
from core.printing import (
    complain,
    imported_lines,
    info_lines,
    print_json,
    report_lines,
    say,
    tell,
    warn,
)
from core.settings import Check
from core.text import count, readable

PROGRAM = "run_tui.py"
BROKEN_PIPE = 141


def main(words: Sequence[str], check_settings: Check = lambda _: ()) -> int:
    """Do what `words` say and return the exit code (COMMANDS: 0 well, 1 partly, 2 input, 3 run).

    `check_settings` judges what only the screens can: names of keys, commands and themes.
    """
    # Without them Python would print nothing, or to the other one.
    if sys.stdout is None or sys.stderr is None:
        return UserError.exit_code
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets its escape, never a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        chosen = _parser().parse_args(words, argparse.Namespace(check=check_settings))
        code: int = asyncio.run(chosen.verb(Engine(), chosen))
        return code
    except UserError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        complain(UserError(f"The system refused: {error.strerror or error}.", "Is the disk full?"))
        return UserError.exit_code


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors have the two lines that all others have."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message[:1].upper() + message[1:] + ".", f"See: {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="Train an AlexNet on a folder of class folders, watch it, classify with it."
        " Without a verb the app opens: --at DIR opens it on a folder, --ascii draws in ASCII,"
        " --no-mouse leaves the mouse to the terminal.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, does: str, run: Any) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=does, description=does, allow_abbrev=False)
        one.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
        one.set_defaults(verb=run)
        return one

    demo = verb("demo", "write the built-in example: drawn happy and sad faces", _demo)
    demo.add_argument("dir", metavar="DIR", help="a new or empty folder")
    demo.add_argument("--images", type=_whole("images", 20, 1_000_000), default=2000)
    demo.add_argument("--seed", type=_whole("seed", 0, 2**31 - 1), default=0)

    table = verb("import-fer2013", "turn Kaggle's table of faces into class folders", _import)
    table.add_argument("csv", metavar="CSV", help="fer2013.csv or icml_face_data.csv")
    table.add_argument("dir", metavar="DIR", help="a new or empty folder")
    table.add_argument(
        "--classes",
        type=_fer2013_classes,
        default=list(FER2013_CLASSES),
        help=f"some of {','.join(FER2013_CLASSES)}, such as happy,sad (default: all)",
    )

    doctor = verb("doctor", "check a dataset before any GPU time; nothing is changed", _doctor)
    doctor.add_argument("dir", metavar="DIR", help="the folder that holds one folder per class")

    train = verb("train", "train, save the model to DIR, print progress", _train)
    train.add_argument("dir", metavar="DIR", help="the folder that holds one folder per class")
    _add_settings(train)
    train.add_argument("--out", metavar="FILE", help=cfg.meta("out").description)
    train.add_argument(
        "--detach", action="store_true", help="return at once; the training goes on by itself"
    )
    add_prepare(train)

    again = verb("resume", "go on with a run that was stopped or killed", resume)
    add_run(again)
    again.add_argument("--detach", action="store_true", help="return at once")
    add_prepare(again)

    add_run_verbs(verb)

    one = verb("evaluate", "how well a model does on a folder of class folders", evaluate)
    add_evaluate_options(one)

    add_export_options(verb("export", "write a model for use elsewhere", export))

    one = verb("classify", "say what is in pictures", classify)
    add_classify_options(one)
    one.add_argument("--top", type=_whole("top", 1, 100_000), metavar="K", help="so many classes")

    info = verb("info", "what a model file says of itself; needs no dataset", _info)
    info.add_argument("model", metavar="MODEL", help="a model file, or a trained data folder")

    add_settings_options(verb("settings", "show your settings, or change one", settings))
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, worded by its description."""
    for name in cfg.SETTINGS:
        meta, default = cfg.meta(name), cfg.default(name)
        flag = "--" + name.replace("_", "-")
        text = f"{meta.description} ({cfg.allowed(name)}; default: {cfg.shown(default)})"
        text = text.replace("%", "%%")
        if default is False:
            parser.add_argument(flag, action="store_true", help=text)
        else:
            parser.add_argument(
                flag,
                type=_setting(name),
                default=default,
                metavar=str(meta.title).split()[-1].upper(),
                help=text,
            )


def _setting(name: str) -> Any:
    return lambda typed: cfg.parse(name, typed)


def _whole(name: str, low: int, high: int) -> Any:
    def parse(typed: str) -> int:
        if not (
            typed.isascii() and typed.isdigit() and len(typed) < 13 and low <= int(typed) <= high
        ):
            raise UserError(f"--{name} cannot be “{typed}”.", f"It is {low:,} to {high:,}.")
        return int(typed)

    return parse


def _fer2013_classes(typed: str) -> list[str]:
    names = [name.strip().lower() for name in typed.split(",")]
    wrong = [name for name in names if name not in FER2013_CLASSES]
    if wrong or len(set(names)) != len(names):
        title = f"--classes cannot be “{typed}”."
        raise UserError(title, f"Name each once: {', '.join(FER2013_CLASSES)}.")
    return names


async def _demo(engine: Engine, chosen: argparse.Namespace) -> int:
    target = expanded(chosen.dir).absolute()
    with LiveLine() as live:
        async for done, total in engine.demo(target, chosen.images, chosen.seed):
            live.count("pictures drawn:", done, total)
    found = await engine.inspect(target)
    counts = {c.name: c.pictures for c in found.classes}
    if chosen.json:
        print_json({"folder": str(target), "images": found.pictures, "classes": counts})
    else:
        say(f"{count(found.pictures, 'picture')} drawn in {target}")
        say(f"Train on them: {PROGRAM} train {target} --image-size 64 --epochs 12")
    return 0


async def _import(engine: Engine, chosen: argparse.Namespace) -> int:
    told = engine.import_fer2013(Path(chosen.csv), Path(chosen.dir), chosen.classes)
    imported: Imported = await result_of(told, "import", "bytes")
    tell(imported, chosen.json, imported_lines)
    return 1 if imported.bad_rows else 0


async def _doctor(engine: Engine, chosen: argparse.Namespace) -> int:
    report: Report = await result_of(engine.doctor(Path(chosen.dir)), "doctor", "pictures")
    tell(report, chosen.json, report_lines)
    if report.trainable:
        return 0
    complain(UserError("This folder cannot be trained on.", report.problem))
    return 2


async def _train(engine: Engine, chosen: argparse.Namespace) -> int:
    values = {name: getattr(chosen, name) for name in cfg.SETTINGS}
    config = cfg.TrainConfig(data=chosen.dir, out=chosen.out, **values)
    run = await engine.prepare(config, awaited=chosen.prepare)
    if chosen.prepare:
        return tell_prepared(run, chosen)
    if config.device == "auto" and (trouble := await engine.gpu_trouble()):
        warn(
            f"a GPU seems to be there but cannot be used ({trouble}), so this may train on the CPU:"
            " look at nvidia-smi, or add --device cpu to be rid of this line."
        )
    await engine.start(run)
    return await follow_new(engine, run, chosen)


async def _info(engine: Engine, chosen: argparse.Namespace) -> int:
    info = await engine.model_info(Path(chosen.model))
    if chosen.json:
        print_json(
            {"model": readable(str(info.path)), "intact": True} | msgspec.to_builtins(info.card)
        )
    else:
        for line in info_lines(info):
            say(line)
    return 0
