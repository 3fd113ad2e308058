"""Says when Textual changes underneath `tui/driver.py`, and when it has mended what that mends."""

from __future__ import annotations

import hashlib
import inspect
import random
from importlib.metadata import version

import pytest
from textual import _xterm_parser
from textual._compositor import Compositor, CompositorUpdate
from textual._styles_cache import StylesCache
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter
from textual.screen import Screen

from tui.driver import PASTE_LIMIT, Keyboard, SafeDriver, first_line
from tui.screens.dialog import Dialog

LOOK = "read Textual's changes, then tui/driver.py and tui/terminal.py, then put the new value here"


def test_textual_is_the_version_that_the_driver_was_written_for() -> None:
    assert version("textual") == "8.2.8", LOOK


@pytest.mark.parametrize(
    ("module", "digest"),
    [(linux_driver, "db42ae6006b8bece"), (_xterm_parser, "7e279d11dee84514")],
)
def test_the_sources_that_it_builds_on_are_unchanged(module: object, digest: str) -> None:
    source = inspect.getsource(module)  # type: ignore[arg-type]
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == digest, LOOK


def test_the_names_that_it_replaces_are_there() -> None:
    ours = [name for name, value in vars(SafeDriver).items() if inspect.isfunction(value)]
    theirs = [name for name in ours if hasattr(LinuxDriver, name)]
    assert set(ours) - set(theirs) == {
        "_catch_up",
        "_repaint",
        "_take_over",
        "_wait_for_app",
        "redraw",
        "send",
    }, LOOK
    assert inspect.isabstract(LineFilter)
    app: App[None] = App()
    assert app._exception is None
    app.driver_class = SafeDriver


def test_what_paints_lines_at_once_builds_on_is_there() -> None:
    """When this fails, look at `tui/at_once.py` again."""
    assert list(inspect.signature(App._display).parameters) == ["self", "screen", "renderable"]
    assert "isinstance(renderable, CompositorUpdate)" in inspect.getsource(App._display)
    assert list(vars(CompositorUpdate)["render_segments"].__annotations__) == ["console", "return"]
    assert isinstance(inspect.getattr_static(Compositor, "visible_widgets"), property)
    assert {"set_dirty", "render_widget"} <= set(dir(StylesCache))
    screen: Screen[None] = Screen()
    assert screen._dirty_widgets == set()
    waits = (screen._layout_required, screen._scroll_required, screen._repaint_required)
    assert not all(waits)
    assert list(inspect.signature(Screen._exchange_repaint_regions).parameters) == ["self"]
    assert "_layout_required" in inspect.getsource(Screen._on_timer_update)
    assert "self._batch_count" in inspect.getsource(App._display)


def test_textual_still_dies_of_one_invalid_byte() -> None:
    """Once it does not (textual#6456), `run_input_thread` may go."""
    assert 'getincrementaldecoder("utf-8")()' in inspect.getsource(LinuxDriver.run_input_thread)


def keys(*chunks: bytes) -> list[str]:
    keyboard = Keyboard()
    found = [message for chunk in chunks for message in keyboard.messages(chunk)]
    return [getattr(message, "key", type(message).__name__) for message in found]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((b"ab",), ["a", "b"]),
        ((b"\xc3", b"\xa9"), ["é"]),
        ((b"\xffa",), ["\ufffd", "a"]),
        ((b"\x1b[M\xff\xc3\xa9a",), ["a"]),
        ((b"\x1b[M\xff", b"\xc3\xa9a"), ["a"]),
        ((b"\x1b[M", b"\xff\xc3\xa9", b"a"), ["a"]),
        ((b"\x1b[48;0;0;0;0t\x1b[<0;5;5Mab",), ["Resize", "a", "b"]),
        ((b"\x1b[200~a\nb\x1b[201~c",), ["Paste", "c"]),
        ((b"\x1b[200~a\x1b[20", b"1~c"), ["Paste", "c"]),
        ((b"\x1b[200~" + b"a" * 9000 + b"\x1b", b"[201~c"), ["Paste", "c"]),
        ((b"\x1b[A",), ["up"]),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_bytes_become_keys(chunks: tuple[bytes, ...], expected: list[str]) -> None:
    names = {"latin_small_letter_e_with_acute": "é", "replacement_character": "\ufffd"}
    assert [names.get(key, key) for key in keys(*chunks)] == expected


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_become_something_and_keys_go_on(seed: int) -> None:
    keyboard, noise = Keyboard(), random.Random(seed)
    count = 0
    for _ in range(16):
        count += sum(1 for _ in keyboard.messages(noise.randbytes(4096)))
    assert count > 1000
    last = list(keyboard.messages(b"\x1b[201~   k"))
    assert getattr(last[-1], "key", "") == "k"


def test_a_paste_without_end_fills_no_memory_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("tui.driver.monotonic", lambda: now[0])
    keyboard = Keyboard()
    messages = list(keyboard.messages(b"\x1b[200~"))
    for _ in range(100):
        messages += keyboard.messages(b"a" * 4096)
    now[0] = 4.0
    messages += keyboard.messages(b"")
    assert messages == []
    now[0] = 10.0
    messages += keyboard.messages(b"")
    messages += keyboard.messages(b"k")
    assert [type(message).__name__ for message in messages] == ["Paste", "Key"]
    assert len(messages[0].text) == PASTE_LIMIT + 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("pasted", "used", "cut"),
    [
        ("/data/x.jpg", "/data/x.jpg", False),
        ("  /data/x.jpg\n", "/data/x.jpg", False),
        ("\n\na\nb", "a", True),
        ("a\x85b", "a", True),
        ("", "", False),
        ("x" * 5000, "x" * 4096, True),
    ],
)
def test_of_a_paste_the_first_line_is_used(pasted: str, used: str, cut: bool) -> None:
    assert first_line(pasted) == (used, cut)


def test_what_a_dialog_replaces_is_there() -> None:
    """When this fails, look at `tui/screens/dialog.py` again."""
    replaced = {
        "_compositor_refresh": ["self"],
        "_on_timer_update": ["self"],
        "_screen_resized": ["self", "size"],
        "render_line": ["self", "y"],
        "render_lines": ["self", "crop"],
    }
    for name, parameters in replaced.items():
        assert name in vars(Dialog)
        assert list(inspect.signature(getattr(Screen, name)).parameters) == parameters
    # The first layout of a new screen, and what then asks for the one that is painted.
    resumed = inspect.getsource(Screen._on_screen_resume)
    assert "self._refresh_layout(size)\n            self.refresh()" in resumed
    assert list(inspect.signature(Compositor.render_strips).parameters) == ["self", "size"]
