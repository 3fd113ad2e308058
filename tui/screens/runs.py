"""All runs in a table: watch, compare, lay over one another, resume, train again, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual import on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from core.errors import UserError
from core.evaluation.outcome import model_left
from core.patterns import check_pattern, matching
from core.runs.folder import RunFolder, RunSummary
from core.runs.resuming import RESUMABLE
from core.text import count, megabytes, safe_text
from tui import messages
from tui.commands import section_bindings
from tui.runs import MOST_MARKED, RunTable, settings_words, state_words, test_words
from tui.screens.confirm import Confirm
from tui.screens.page import Page
from tui.widgets.command_line import CommandLine
from tui.widgets.line import Line
from tui.widgets.problem import Problem
from tui.widgets.rows import Rows
from tui.words import home_path, lines, plain, tail

# As long as a run lives the list is read anew so often; else it is asked so often whether there is news.
LIVE_SECONDS, IDLE_SECONDS = 2.0, 5.0
# A pattern is searched for once nobody types any more.
REST_SECONDS = 0.15
PATTERN_LENGTH = 200


class Runs(Page):
    """The list is read when the screen is opened, on a key, and by itself while a run lives."""

    SECTION = "runs"
    BINDINGS = section_bindings("runs")

    def __init__(self) -> None:
        super().__init__()
        self.table = RunTable()
        # What is searched for, and the texts in which it was, by the numbers of their runs.
        self._pattern = ""
        self._searched: tuple[str, dict[int, str]] = ("", {})
        self._reading = False
        self._resuming = False
        # What was on disk when the list was read.
        self._traces: dict[str, int] = {}

    def body(self) -> Iterable[Widget]:
        yield Line(id="title")
        find = Input(placeholder="a regular expression", id="find", compact=True)
        find.max_length = PATTERN_LENGTH
        find.display = False
        yield find
        yield Problem(markup=False)
        yield Line(id="columns")
        yield Rows(lambda number, width: self.table.row(number, width), id="rows")
        yield Line(id="detail")
        yield CommandLine(markup=False)

    def on_mount(self) -> None:
        self.query_one(Rows).focus()
        self.set_interval(LIVE_SECONDS, self._poll)
        self.set_interval(IDLE_SECONDS, self._look_for_news)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.action_refresh()

    def on_resize(self) -> None:
        super().on_resize()
        self._show()

    def _poll(self) -> None:
        """Read the list again only while a run lives."""
        if self.is_current and self._lives and not self._reading:
            self.action_refresh()

    @property
    def _lives(self) -> bool:
        return any(run.alive for run in self.table.runs.values())

    @work(exclusive=True, group="news")
    async def _look_for_news(self) -> None:
        """Read the list again where a run was begun, resumed or deleted elsewhere."""
        idle = self.is_current and not self._lives and not self._reading
        if idle and await asyncio.to_thread(RunFolder.traces) != self._traces and self.is_current:
            self.action_refresh()

    @work(exclusive=True, group="list")
    async def action_refresh(self) -> None:
        """Read the list anew, the cursor staying on its run."""
        before, rows = list(self.table.shown), self.query_one(Rows)
        self._reading = True
        try:
            # Taken before reading: what is written meanwhile must be seen the next time.
            self._traces = await asyncio.to_thread(RunFolder.traces)
            changed = self.table.put(await self.engine.runs())
            await self._search()
        except UserError as error:
            self.query_one(Problem).show(error)
            return
        finally:
            self._reading = False
        # The screen may have been left meanwhile.
        if before == self.table.shown and self.is_attached:
            rows.touch(changed)
            self._show_words()
        else:
            self._show()

    def _show(self, keep: bool = True) -> None:
        """Paint the whole table anew; with `keep` the cursor stays on its run, else the first is marked."""
        if not self.is_attached:
            return
        rows = self.query_one(Rows)
        marked = rows.marked
        rows.show(self.table.shown, keep)
        if keep and marked is not None:
            rows.mark(marked)
        self._show_words()

    def _show_words(self) -> None:
        """Paint what stands around the table."""
        width = self.query_one(Rows).scrollable_content_region.width
        if width:
            header = Content.styled(self.table.header(width), "bold")
            self.query_one("#columns", Line).show(header)
        self.query_one("#title", Line).show(self._title())
        run = self.current
        self.query_one("#detail", Line).show(
            detail(run, self.size.width - 2) if run else Content("")
        )
        self._show_command(run)
        self.keys_changed()

    def _title(self) -> Content:
        table = self.table
        if not table.runs:
            return Content("No runs yet. Go back and train a model.")
        parts = [count(len(table.runs), "run"), table.order_words]
        if table.found is not None:
            parts.insert(1, f"{len(table.shown):,} with “{safe_text(self._pattern, 24)}”")
        if table.marked:
            parts.insert(1, f"{len(table.marked)} marked")
        return plain(" · ".join(parts), width=max(self.size.width - 2, 0))

    def _show_command(self, run: RunSummary | None) -> None:
        chosen = self.chosen(2) if self.table.marked else []
        if len(chosen) > 1:
            words = ["compare", *(one.name for one in chosen[:2])]
        else:
            words = ["watch", run.name] if run else ["runs"]
        self.query_one(CommandLine).show(words)

    @property
    def current(self) -> RunSummary | None:
        """The run under the cursor."""
        number = self.query_one(Rows).marked
        return None if number is None else self.table.runs.get(number)

    def chosen(self, least: int = 1) -> list[RunSummary]:
        """Return the marked runs in the order of their marks; where they are fewer than `least`, the
        one under the cursor as well."""
        numbers = list(self.table.marked)
        here = self.query_one(Rows).marked
        if len(numbers) < least and here is not None and here not in numbers:
            numbers.append(here)
        return [self.table.runs[number] for number in numbers if number in self.table.runs]

    def offers(self, action: str) -> bool:
        """Tell which keys mean something for the run under the cursor; the others say what is missing."""
        run = self.current
        if run is None:
            return action in ("back", "find", "app.help")
        if action == "report":
            return run.test is not None
        if action == "resume":
            return run.state in RESUMABLE
        return action not in ("compare", "overlay") or bool(self.table.marked)

    @on(Rows.Marked)
    def _moved(self) -> None:
        # What was wrong with another run says nothing of this one.
        self.query_one(Problem).show(None)
        self._show_words()

    def _refuse(self, title: str, hint: str) -> None:
        self.query_one(Problem).show(UserError(title, hint))

    @property
    def _watch_it(self) -> str:
        return f"Watch it with {self.key('runs.watch')}."

    def action_watch(self) -> None:
        """Open the run under the cursor."""
        if run := self.current:
            self.post_message(messages.OpenRun(folder(run)))

    def action_report(self) -> None:
        """See what came out of the run under the cursor."""
        run = self.current
        if run is not None and run.test is None:
            self._refuse(f"The run {run.name} has no result yet.", self._watch_it)
        elif run is not None:
            self.post_message(messages.OpenReport(folder(run)))

    @work(exclusive=True, group="classify")
    async def action_classify(self) -> None:
        """Classify with the model of the run under the cursor."""
        run = self.current
        if run is None:
            return
        one = folder(run)
        model = await asyncio.to_thread(lambda: model_left(one, one.results().ended))
        if model is None:
            title = f"The run {run.name} has left no model."
            self._refuse(title, "Choose a run that has finished.")
        else:
            self.post_message(messages.OpenClassify(model))

    def action_train(self) -> None:
        """Choose settings for the same data, those of this run to begin with."""
        if run := self.current:
            self.post_message(messages.OpenConfigure(Path(run.data), run.settings))

    def action_resume(self) -> None:
        """Go on with the run under the cursor, by one trainer however often this is asked."""
        run = self.current
        if run is not None and run.alive:
            self._refuse(f"The run {run.name} is being trained.", self._watch_it)
        elif run is not None and not self._resuming:
            self._resuming = True
            self.resume(folder(run))

    @work(group="resume")
    async def resume(self, run: RunFolder) -> None:
        """Have the engine go on with `run`, and watch it."""
        self.notify(f"going on with {safe_text(run.name)} …", markup=False, timeout=3)
        try:
            resumed = await self.engine.resume(run)
        except UserError as error:
            self.query_one(Problem).show(error)
        else:
            self.post_message(messages.OpenRun(resumed))
        finally:
            self._resuming = False

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take the mark away, and go on to the next."""
        rows = self.query_one(Rows)
        if rows.marked is None:
            return
        if not self.table.mark(rows.marked):
            self._refuse(f"{MOST_MARKED} runs are marked already.", "More cannot be told apart.")
            return
        self.query_one(Problem).show(None)
        rows.touch({*self.table.marked, rows.marked})
        rows.action_cursor_down()
        self._show_words()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.table.marked.clear()
        self._show()

    def action_overlay(self) -> None:
        """Lay the curves of the marked runs over one another."""
        from tui.screens.overlay import Overlay

        if chosen := self.chosen():
            self.app.push_screen(Overlay(chosen))

    def action_compare(self) -> None:
        """Compare the marked runs; with one mark, with the run under the cursor."""
        from tui.screens.compare import Compare

        chosen = self.chosen(2)
        if len(chosen) < 2:
            hint = f"Mark one with {self.key('runs.mark')}, go to another."
            self._refuse("It takes two runs to compare.", hint)
        else:
            self.app.push_screen(Compare(chosen))

    @work(exclusive=True, group="delete")
    async def action_delete(self) -> None:
        """Ask, then delete the marked runs, or the one under the cursor."""
        chosen = self.chosen()
        living = next((run for run in chosen if run.alive), None)
        if living is not None:
            stop = f"Stop it first: {self.key('runs.watch')}, then {self.key('dashboard.stop')}."
            self._refuse(f"The run {living.name} is being trained.", stop)
        if living is not None or not chosen:
            return
        size = await self.engine.disk_bytes([folder(run) for run in chosen])
        words = f"Delete {count(len(chosen), 'run')}? It frees {megabytes(size)}."
        if await self.app.push_screen_wait(
            Confirm(words, doomed(chosen, self.size.width * 9 // 10), "delete")
        ):
            await self._delete(chosen)

    async def _delete(self, chosen: Sequence[RunSummary]) -> None:
        freed, gone, problem = 0, 0, None
        for run in chosen:
            try:
                freed += await self.engine.delete(folder(run))
                gone += 1
            except UserError as error:
                problem = error
        self.query_one(Problem).show(problem)
        if gone:
            self.notify(f"{count(gone, 'run')} deleted, {megabytes(freed)} freed", markup=False)
        self.action_refresh()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.table.next_order()
        self._show(keep=False)

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.table.turn()
        self._show(keep=False)

    def action_find(self) -> None:
        """Type what the runs in the table are to have."""
        find = self.query_one("#find", Input)
        find.display = True
        find.focus()

    @on(Input.Changed, "#find")
    def _typed(self, event: Input.Changed) -> None:
        self.search_soon(event.value)

    @on(Input.Submitted, "#find")
    def _typed_all(self) -> None:
        self.query_one(Rows).focus()

    @work(exclusive=True, group="find")
    async def search_soon(self, pattern: str) -> None:
        """Say at once whether `pattern` can be searched for, and do it when nobody types any more."""
        problem = self.query_one(Problem)
        try:
            check_pattern(pattern)
            problem.show(None)
            await asyncio.sleep(REST_SECONDS)
            await self._search(pattern)
        except UserError as error:
            problem.show(error)
        else:
            self._show()

    async def _search(self, pattern: str | None = None) -> None:
        """Find the runs in which `pattern` is, or what was searched for last, where texts are new."""
        wanted = self._pattern if pattern is None else pattern
        texts = self.table.texts() if wanted else {}
        if (wanted, texts) == self._searched:
            return
        found = await matching(wanted, list(texts.values())) if wanted else []
        numbers = list(texts)
        self._pattern, self._searched = wanted, (wanted, texts)
        self.table.found = {numbers[index] for index in found} if wanted else None
        self.table.arrange()

    def action_back(self) -> None:
        """Close the search, or leave."""
        find = self.query_one("#find", Input)
        if find.display:
            find.display = False
            find.value = ""
            self.query_one(Rows).focus()
        else:
            super().action_back()


def folder(run: RunSummary) -> RunFolder:
    """Return the folder of a run in the list."""
    return RunFolder(Path(run.run))


def detail(run: RunSummary, width: int) -> Content:
    """Return on two lines what the table may have no room for."""
    first = [run.name, home_path(run.data)]
    second = [state_words(run), f"test {test_words(run)}" if run.test else "", settings_words(run)]
    said = " · ".join(part for part in second if part)
    return lines(plain(" · ".join(first), width=width), plain(said, "$foreground 60%", width))


def doomed(runs: Sequence[RunSummary], width: int) -> Content:
    """Return which runs would be deleted, a line each in a dialog of `width`, and what stays."""
    names = [plain(f"  {tail(run.name, min(50, width - 6))}") for run in runs]
    stays = Content.styled("Your pictures and the models in data folders stay.", "$foreground 60%")
    return lines(*names, stays)
