"""Between the app and the terminal: nothing that comes in crashes it, nothing that stalls holds it up.

It builds on names that Textual does not promise to keep; `tests/terminal/test_upstream.py` fails
when one of them changes, or when Textual has mended what is mended here.
"""

from __future__ import annotations

import os
import re
import select
import signal
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from textual import events
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._xterm_parser import XTermParser
from textual.app import ScreenStackError
from textual.dom import DOMNode
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message
from textual.messages import InBandWindowResize

from tui.canvas import passes
from tui.writer import Writer

LARGEST = Size(2000, 1000)
# What a terminal has that does not know its size.
UNKNOWN = Size(80, 24)
PASTE_LIMIT = 4096
PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"
# A paste that pauses this long is over: its end was lost, and keys must be keys again.
_PASTE_PATIENCE = 5.0
# Three bytes after `ESC [ M`: mouse reports from before 2012, any byte value (textual#6668).
_OLD_MOUSE = re.compile(rb"\x1b\[M[\x00-\xff]{3}")
_OLD_MOUSE_CUT = re.compile(rb"\x1b\[M[\x00-\xff]{0,2}\Z")
_PASTE_MARK = re.compile(r"(\x1b\[20[01]~)")
_MARK_CUT = re.compile(r"\x1b(\[(2(0[01]?)?)?)?\Z")
# A key that takes the app longer than this does not hold up those after it.
_KEY_SECONDS = 2.0
_TYPING_SECONDS = 2.0
_READ = 4096
# What a program beside this one may have changed: no line is wrapped, no cursor shown, nothing there.
_CLEARED = "\x1b[?7l\x1b[?25l\x1b[0m\x1b[2J"
# A window that is dragged larger is painted whole no more often than this.
_REPAINT_SECONDS = 0.1


class CaughtUp(Message):
    """Tells the screen that all of it is painted anew: what it shows should be the newest."""


class Keyboard:
    """Turns the terminal's bytes into messages; no bytes can make it fail."""

    def __init__(self, debug: bool = False) -> None:
        self._debug = debug
        self._parser = XTermParser(debug)
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._held_bytes = b""
        self._held_text = ""
        self._pasted: int | None = None
        self._heard = monotonic()

    def messages(self, data: bytes) -> Iterator[Message]:
        """Yield what `data` means, and what earlier bytes mean now that nothing followed them."""
        for character in self._bounded(self._decode(self._without_old_mouse(data))):
            yield from self._parsed(partial(self._parser.feed, character))
        yield from self._parsed(self._parser.tick)

    def _parsed(self, step: Callable[[], Iterable[Message]]) -> Iterator[Message]:
        try:
            yield from step()
        except Exception:  # noqa: BLE001
            # The parser fails in many ways (huge numbers, sizes of zero) and is dead afterwards.
            self._parser = XTermParser(self._debug)

    def _without_old_mouse(self, data: bytes) -> bytes:
        data = _OLD_MOUSE.sub(b"", self._held_bytes + data)
        cut = _OLD_MOUSE_CUT.search(data)
        self._held_bytes = cut[0] if cut else b""
        return data[: cut.start()] if cut else data

    def _bounded(self, text: str) -> str:
        """Return `text` without what a paste brings beyond the limit, so that none fills memory."""
        if text:
            self._heard = monotonic()
        elif self._pasted is not None and monotonic() - self._heard > _PASTE_PATIENCE:
            self._pasted, self._held_text = None, ""
            return PASTE_END
        text, self._held_text = self._held_text + text, ""
        kept = []
        for piece in _PASTE_MARK.split(text):
            if piece == PASTE_START and self._pasted is None:
                self._pasted = 0
            elif piece == PASTE_END:
                self._pasted = None
            elif self._pasted is not None:
                piece = self._pasted_piece(piece)
            kept.append(piece)
        return "".join(kept)

    def _pasted_piece(self, piece: str) -> str:
        """Return what is kept of a paste's next part; a mark cut in two waits for its rest."""
        if cut := _MARK_CUT.search(piece):
            piece, self._held_text = piece[: cut.start()], cut[0]
        done = self._pasted or 0
        self._pasted = done + len(piece)
        # One more than is shown, so that whoever cuts it sees that something is missing.
        return piece[: max(PASTE_LIMIT + 1 - done, 0)]


def first_line(pasted: str) -> tuple[str, bool]:
    """Return the part of a paste that is used, and whether something was left out."""
    lines = pasted.strip().splitlines() or [""]
    line = lines[0][:PASTE_LIMIT]
    return line, len(lines) > 1 or len(line) < len(lines[0])


class SafeDriver(LinuxDriver):
    """Textual's driver, hardened on both sides."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._writer: Writer | None = None
        self._steady = self._repainting = self._stopping = False

    def start_application_mode(self) -> None:
        """Take the terminal over; what sets it up is never dropped."""
        assert self._file is not None, "run() checks that there is a terminal"
        if self._writer is not None:
            # In the background nothing could be taken over, and this is another try.
            self._writer.close()
        self._writer = Writer(self._file.fileno(), self._repaint, terminal_gone)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        # Not in the background: there the next SIGCONT starts it.
        self._steady = self._key_thread is not None and self._key_thread.is_alive()

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was; frames that it has not taken are dropped for that."""
        self._steady = False
        if self._writer is not None:
            self._writer.forget()
        super().stop_application_mode()

    def close(self) -> None:
        super().close()
        if self._writer is not None:
            self._writer.close()

    def write(self, data: str) -> None:
        """Write to the terminal, or not if it does not keep up."""
        assert self._writer is not None, "start_application_mode comes first"
        if data in (SYNC_START, SYNC_END):
            # One without the other would leave the terminal waiting: the writer sends both or none.
            self._writer.synchronized = True
        else:
            self._writer.write(data, keep=not self._steady or passes(data))

    def send(self, sequence: str) -> None:
        """Write what is not part of a frame, between two frames; it is never dropped."""
        if self._writer is not None and self._steady:
            self._writer.write(sequence, keep=True)

    def redraw(self) -> None:
        """Paint everything anew, over whatever another program has left on the terminal."""
        self.send(_CLEARED)
        self._repaint()

    def _sigtstp_application(self, *_: object) -> None:
        """Leave what there is to do to the loop: it may be writing, with the writer's lock in hand.

        The launcher tells a second time what takes long; once stopped, that is one stop all the same.
        """
        if self._stopping:
            return
        self._stopping = True
        try:
            self._loop.call_soon_threadsafe(super()._sigtstp_application)
        except RuntimeError:
            # The loop is over, and the terminal given back.
            os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        """Leave what there is to do to the loop, as when it was stopped."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take_over)

    def _take_over(self) -> None:
        """Take the terminal over again after a stop, also after one that could not be prepared for.

        Whoever is stopped by SIGSTOP still has its threads, which must not run twice; the shell has
        had the terminal meanwhile.
        """
        self._stopping = False
        if self._steady and self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application()
        self._repaint()

    def run_input_thread(self) -> None:
        """Read until told to stop; end the program when there is no terminal any more."""
        keyboard, heard = Keyboard(self._debug), monotonic()
        while not self.exit_event.is_set():
            data = b""
            # An escape is a key of its own if nothing follows; while nobody types, nothing waits.
            patience = 0.1 if monotonic() - heard < _TYPING_SECONDS else 0.5
            if select.select([self.fileno], [], [], patience)[0]:
                heard = monotonic()
                try:
                    data = os.read(self.fileno, _READ)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                if not data:
                    terminal_gone()
                    return
            for message in keyboard.messages(data):
                self.process_message(message)
                if isinstance(message, events.Key):
                    self._wait_for_app()

    def _wait_for_app(self) -> None:
        """Wait until the app has done what the last key means, before it gets the next.

        Textual gives letters to what has the focus at once, but other keys climb from there up to
        the app first: `80 TAB 5` that come together, as they do over a slow line, would be typed as
        `805 TAB`. It also bounds the app's queues, which take any flood.
        """
        app, done = self._app, threading.Event()

        def climb(node: DOMNode | None) -> None:
            """Follow the key up through the queues that it waits in."""
            if node is None or node is app:
                app.call_later(done.set)
            elif not node.call_later(climb, node.parent):
                done.set()

        def start() -> None:
            # While the app ends there may be no screen any more.
            with suppress(ScreenStackError):
                climb(app.focused or app.screen)

        app.call_later(start)
        end = monotonic() + _KEY_SECONDS
        while not done.wait(0.05) and not self.exit_event.is_set() and monotonic() < end:
            pass

    def send_message(self, message: Message) -> None:
        """Post a message by the way that `_wait_for_app` takes: Textual's, through a task, is overtaken by it."""
        self._app.post_message(message)

    def process_message(self, message: Message) -> None:
        """Pass a message on; a paste is cut, and sizes that were typed in are not believed."""
        if isinstance(message, (events.Resize, InBandWindowResize)):
            return
        if isinstance(message, events.Paste):
            text, cut = first_line(message.text)
            message = events.Paste(text)
            if cut:
                self._app.call_later(
                    self._app.notify, "Only the start of the pasted text was taken."
                )
        super().process_message(message)

    def _query_in_band_window_resize(self) -> None:
        """Do not ask for sizes among the keys: the kernel has them, and nobody can forge those."""

    def _get_terminal_size(self) -> tuple[int, int]:
        """Return the window's size as the kernel has it, within what the app can bear.

        It is asked for at the start and whenever the window has changed, or is said to have: who
        attaches to a session without a screen of its own (dtach) asks for a fresh picture so, and a
        window that is small for a moment has lost what Textual thinks is there.
        """
        if self._writer is not None:
            self._writer.window_changed()
        if self._steady and not self._repainting:
            self._repainting = True
            self._app.call_later(self._app.set_timer, _REPAINT_SECONDS, self._repaint)
        try:
            width, height = os.get_terminal_size(self.fileno)
        except OSError:
            width, height = 0, 0
        return (
            min(width, LARGEST.width) or UNKNOWN.width,
            min(height, LARGEST.height) or UNKNOWN.height,
        )

    def _repaint(self) -> None:
        self._repainting = False
        self._app.call_later(self._catch_up)

    def _catch_up(self) -> None:
        self._app.refresh(layout=True)
        # While the app ends there may be no screen any more.
        with suppress(ScreenStackError):
            self._app.screen.post_message(CaughtUp())


def terminal_gone() -> None:
    """End the program at once: there is no screen to restore, and nothing lives only in it.

    A graceful end would wait for a terminal that no longer answers; training is another process.
    """
    os._exit(129)
