"""One line about the device that training would use: which, how busy, how full."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual import work
from textual.widgets import Static

from core.engine import Device
from tui.words import plain

if TYPE_CHECKING:
    from tui.app import AlexNetApp

POLL_SECONDS = 5.0
GIB = 1024**3


def device_words(devices: Sequence[Device]) -> str:
    """Return the first of `devices` in a few words, and how many others there are."""
    first = devices[0]
    parts = [first.name + (f" (+{len(devices) - 1})" if len(devices) > 1 else "")]
    if first.busy is not None:
        parts.append(f"{first.busy:.0%}".replace("%", " %"))
    if first.memory_used is not None and first.memory_total is not None:
        parts.append(f"{first.memory_used / GIB:.1f}/{first.memory_total / GIB:.0f} GB")
    return " · ".join(parts)


class DeviceLine(Static):
    """Asks the engine every few seconds, as long as there is a GPU to measure."""

    _shown = ""

    def on_mount(self) -> None:
        self.call_after_refresh(self._measure)

    @work(exclusive=True)
    async def _measure(self) -> None:
        engine = cast("AlexNetApp", self.app).engine
        while True:
            devices = await engine.devices()
            while not self.screen.is_active:
                await asyncio.sleep(POLL_SECONDS)
            line = device_words(devices)
            if line != self._shown:
                self._shown = line
                self.update(plain(line))
            if not any(device.is_gpu for device in devices):
                return
            await asyncio.sleep(POLL_SECONDS)
