"""The one family of errors that the program raises on purpose.

Every message says what is wrong and, where they apply, what was expected, what was found, in which file or
key, and what to do next.
"""

from brain_cae.errors.reasons import advice_for


class BrainCaeError(Exception):
    """Something that the user can put right; it is shown as a message, without a traceback.

    Args:
        problem: One sentence that says what is wrong.
        expected: What the program needed.
        found: What was there instead.
        where: The file, folder or configuration key.
        advice: What to do next.
    """

    def __init__(
        self,
        problem: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        where: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.problem = problem
        self.expected, self.found, self.where, self.advice = expected, found, where, advice
        details = {"Expected": expected, "Found": found, "In": where, "What to do": advice}
        lines = [problem, *(f"  {name}: {text}" for name, text in details.items() if text)]
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple:
        # Keyword-only arguments do not survive pickling between worker processes by default.
        return _rebuild, (type(self), self.args[0], self.__dict__)


def _rebuild(kind: type[BrainCaeError], message: str, state: dict) -> BrainCaeError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigurationError(BrainCaeError):
    """A key, value or combination of choices that cannot work."""

    def __init__(self, problem: str, **details: str | None) -> None:
        super().__init__(problem, **{"advice": "`python train.py --help` shows every key with its value."} | details)


class DatasetError(BrainCaeError):
    """The data as a whole cannot serve: nothing found, labels missing, too few healthy brains."""

    def __init__(self, problem: str, **details: str | None) -> None:
        super().__init__(problem, **{"advice": "Put it right there, then give the same command again."} | details)


class ScanError(BrainCaeError):
    """One series cannot become one regular volume, or one volume cannot be used.

    Args:
        reason: Short name of the cause for ``import_report.csv``, for example ``"gap between slices"``.
        details: The keyword arguments of :class:`BrainCaeError`.
    """

    def __init__(self, reason: str, **details: str | None) -> None:
        self.reason = reason
        super().__init__(reason, **{"advice": advice_for(reason)} | details)


class LeakageError(BrainCaeError):
    """The same subject, series or pixel content stands in two roles."""


class StorageError(BrainCaeError):
    """A file cannot be written or read: no room, no permission, a broken disk."""


class RunError(BrainCaeError):
    """A run folder or a stored model is missing, damaged or not ours."""
