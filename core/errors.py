"""The only error that a person sees: what happened, and the next step."""

from __future__ import annotations


class UserError(Exception):
    """Something a person can mend; shown as two lines, never as a traceback.

    `title` says what happened to which thing, `hint` says what to do next. Both may carry
    names from outside: whoever shows them passes them through `core.text.safe_text`.
    """

    exit_code = 2

    def __init__(self, title: str, hint: str) -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint


class RunFailedError(UserError):
    """A training run ended without a model"""

    exit_code = 3


class NotANumberError(RunFailedError):
    """The loss has overflowed; the weights have not, since no step was made with it."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"The loss is not a number since step {step:,}.",
            "Lower the learning rate; leave it out to take the recipe's.",
        )
        self.step = step
