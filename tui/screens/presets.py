"""Settings taken from presets and past runs, kept under names, and shown as a difference to the defaults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from core.config import TrainConfig, changed, meta, shown
from core.errors import UserError
from core.presets import MOST_NAME, Preset, load_presets, save_preset
from core.runs.folder import RunFolder, RunSummary
from core.text import count, percent, safe_text
from tui.screens.dialog import Dialog
from tui.screens.page import Page
from tui.screens.pick import Line, Pick
from tui.widgets.field import Field
from tui.words import column, plain

MOST_RUNS = 100
NAME_CELLS = 18
NONE = "There are no presets and no past runs yet."


async def choose_settings(page: Page, folder: Path) -> Mapping[str, Any] | None:
    """Let a person choose among presets, then the runs on `folder`, then all others; None for escape.

    Raises:
        UserError: what was chosen is damaged.
    """
    presets = await asyncio.to_thread(load_presets)
    runs = await page.engine.runs()
    here = [run for run in runs if Path(run.data) == folder]
    runs = [*here, *(run for run in runs if Path(run.data) != folder)][:MOST_RUNS]
    lines = [Line(f"preset {i}", _preset_words(preset)) for i, preset in enumerate(presets)]
    lines += [Line(f"run {i}", _run_words(run)) for i, run in enumerate(runs)]
    none = f"{NONE} {page.key('configure.save')} saves the settings of the form."
    chosen = await page.app.push_screen_wait(Pick("Take the settings of", lines, none))
    if chosen is None:
        return None
    kind, _, index = chosen.partition(" ")
    if kind == "run":
        return await page.engine.settings_of(RunFolder(Path(runs[int(index)].run)))
    preset = presets[int(index)]
    if preset.problem:
        raise UserError(
            f"The preset “{preset.name}” is damaged: {preset.problem}",
            "Mend its file, or save another under this name.",
        )
    return preset.settings


async def save_settings(page: Page, config: TrainConfig) -> None:
    """Let a person name the settings, unless by escape, and keep them as a preset.

    Raises:
        UserError: they cannot be kept.
    """
    presets = await asyncio.to_thread(load_presets)
    name = await page.app.push_screen_wait(AskName([preset.name for preset in presets]))
    if name is not None:
        await asyncio.to_thread(save_preset, name, changed(config))
        again = f"{page.key('configure.load')} takes it again."
        page.notify(f"Saved as “{safe_text(name)}”. {again}", markup=False)


def difference_words(fields: Sequence[Field]) -> Content:
    """Return how many settings differ from the defaults, and which; nothing where none does."""
    named = [f"{field.title} {shown(field.value)}" for field in fields if field.differs]
    if not named:
        return Content("")
    verb = "differs from its default" if len(named) == 1 else "differ from the defaults"
    return plain(f"{count(len(named), 'setting')} {verb}: {', '.join(named)}")


def _preset_words(preset: Preset) -> Content:
    said = "damaged" if preset.problem else _settings_words(preset.settings)
    return Content.assemble(
        ("preset  ", "$foreground 60%"), (column(preset.name, NAME_CELLS), "bold"), "  ", said
    )


def _settings_words(settings: Mapping[str, Any]) -> str:
    named = (f"{meta(name).title} {shown(value)}" for name, value in settings.items())
    return safe_text(", ".join(named)) or "all defaults"


def _run_words(run: RunSummary) -> Content:
    said = f"{percent(run.test.accuracy)} test" if run.test else run.state
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created))
    return Content.assemble(
        ("run     ", "$foreground 60%"),
        # First what tells runs on one folder apart: a narrow window has no room for the end.
        (f"{started}  ", "$foreground 60%"),
        column(Path(run.data).name, NAME_CELLS),
        f"  {said}",
    )


class AskName(Dialog[str | None]):
    """Gives back the name that was typed, None for escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss", "go on")]

    def __init__(self, taken: Sequence[str]) -> None:
        super().__init__()
        self.taken = taken

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Save these settings as", "bold"), markup=False)
            yield Input(placeholder="name of the preset", max_length=MOST_NAME, compact=True)
            yield Static("", id="hint", markup=False, classes="faint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._typed()

    @on(Input.Changed)
    def _typed(self) -> None:
        does = "replace the preset of that name" if self.typed in self.taken else "save"
        self.query_one("#hint", Static).update(f"enter: {does}   esc: go on without")

    @property
    def typed(self) -> str:
        """The name that stands in the field."""
        return self.query_one(Input).value.strip()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        # The form below would take it for its own.
        event.stop()
        if self.typed:
            self.dismiss(self.typed)
