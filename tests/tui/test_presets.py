"""Settings taken from presets and past runs, and what differs from the defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.widgets import Input

from core.config import TrainConfig
from core.presets import load_presets, presets_root, save_preset
from core.runs.folder import RunFolder
from tests.tui.conftest import FakeEngine, finished, opened, opening, paste, shows, until
from tui.app import AlexNetApp
from tui.messages import OpenConfigure
from tui.widgets.field import Field

MakeApp = Callable[[], AlexNetApp]


async def test_what_differs_is_marked_and_given_back(make_app: MakeApp, data: Path) -> None:
    settings = {"epochs": 9, "seed": 7, "freeze": True}
    async with opening(make_app(), OpenConfigure(data, settings), "configure") as pilot:
        await shows(
            pilot, "Epochs*", "3 settings differ from the defaults:", "Epochs 9, Freeze yes, Seed 7"
        )
        await pilot.press("tab", "f8")
        text = await shows(pilot, "2 settings differ", "Freeze yes, Seed 7", "F2: fewer settings")
        assert "Epochs*" not in text
        await pilot.press("f9")
        await until(pilot, lambda: "differ" not in str(_differences(pilot.app.screen)))
        screen = pilot.app.screen
        assert screen.query_one("#field-freeze", Field).value is False
        await pilot.press("ctrl+u", "x")
        await shows(pilot, "Epochs cannot be “x”")
        await pilot.press("f8")
        await until(pilot, lambda: not screen.query(".-wrong"))


def _differences(screen: object) -> object:
    return screen.query_one("#differences").render()  # type: ignore[attr-defined]


async def test_a_split_may_have_its_sign(make_app: MakeApp, data: Path) -> None:
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await pilot.press("ctrl+u")
        await paste(pilot, "70 %")
        await shows(pilot, "--split 70", "Split*")


async def test_a_preset_is_saved_and_taken_again(make_app: MakeApp, data: Path) -> None:
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await pilot.press("tab", "ctrl+u", "9", "f7")
        await shows(pilot, "Save these settings as", "enter: save")
        await paste(pilot, "quick [look]", "enter")
        await opened(pilot, "configure")
        await until(pilot, load_presets)
        await pilot.press("f9", "f6")
        await shows(pilot, "preset  quick [look]", "Epochs 9")
        await pilot.press("enter")
        await opened(pilot, "configure")
        await shows(pilot, "--epochs 9")
        await pilot.press("f7")
        await paste(pilot, "quick [look]")
        await shows(pilot, "enter: replace the preset of that name")
        await pilot.press("escape")
        await opened(pilot, "configure")
    (preset,) = load_presets()
    assert preset.settings == {"epochs": 9}


async def test_past_runs_of_the_folder_come_before_others(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    save_preset("mine", {"split": 60})
    past = RunFolder.create(TrainConfig(data=str(data), image_size=96, seed=3))
    engine.summaries = [
        finished(RunFolder(Path("/other")), data="/data/[other]"),
        finished(past, data=str(data)),
    ]
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await pilot.press("f6")
        text = await shows(pilot, "preset  mine", "93.1 % test")
        rows = [line for line in text.splitlines() if "preset  " in line or "run     " in line]
        assert ["mine" in rows[0], "faces-10k" in rows[1], "[other]" in rows[2]] == [True] * 3
        await pilot.press("j", "enter")
        await opened(pilot, "configure")
        await shows(pilot, "--image-size 96", "Image size*")
        # What was taken before does not shine through.
        await pilot.press("f6", "enter")
        await opened(pilot, "configure")
        text = await shows(pilot, "--split 60")
        assert "--image-size" not in text


async def test_what_is_damaged_says_so_and_changes_nothing(
    make_app: MakeApp, engine: FakeEngine, data: Path
) -> None:
    presets_root().mkdir(parents=True)
    (presets_root() / "torn.toml").write_text('name = "x')
    engine.summaries = [finished(RunFolder(Path("/gone")), data="/data/gone")]
    async with opening(make_app(), OpenConfigure(data, {"epochs": 5}), "configure") as pilot:
        await pilot.press("f6")
        await shows(pilot, "preset  torn", "damaged")
        await pilot.press("enter")
        await shows(pilot, "✗ The preset “torn” is damaged: torn.toml:")
        await pilot.press("f6", "down", "enter")
        await shows(pilot, "The settings of run gone cannot be read.")
        assert pilot.app.screen.query_one("#field-epochs Input", Input).value == "5"


async def test_without_presets_and_runs_it_says_so(make_app: MakeApp, data: Path) -> None:
    async with opening(make_app(), OpenConfigure(data), "configure") as pilot:
        await pilot.press("f6")
        await shows(pilot, "There are no presets and no past runs yet.")
        await pilot.press("escape")
        await opened(pilot, "configure")
