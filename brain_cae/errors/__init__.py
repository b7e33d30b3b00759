"""The exceptions that the program raises on purpose.

Every message says what is wrong and, where it applies, what was expected, what was found, in which file or
key, and what to do next.
"""

from brain_cae.errors.reasons import advice_for


class BrainCaeError(Exception):
    """An error that the user can correct; it is shown as a message, without a traceback.

    Args:
        problem: One sentence that says what is wrong.
        expected: What the program needed.
        found: What the program got instead.
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


def _rebuild(error_class: type[BrainCaeError], message: str, state: dict) -> BrainCaeError:
    error = error_class.__new__(error_class)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigurationError(BrainCaeError):
    """A configuration key, value or combination of options that is invalid."""

    def __init__(self, problem: str, **details: str | None) -> None:
        super().__init__(problem, **{"advice": "`--help` shows every key with its value."} | details)


class DatasetError(BrainCaeError):
    """The data set as a whole cannot be used: no scans, missing labels, too few healthy subjects."""

    def __init__(self, problem: str, **details: str | None) -> None:
        super().__init__(problem, **{"advice": "Correct this, then run the same command again."} | details)


class ScanError(BrainCaeError):
    """A series cannot be converted to one regular volume, or a volume cannot be used.

    Args:
        reason: Short name of the cause for ``import_report.csv``, for example ``"gap between slices"``.
        details: The keyword arguments of :class:`BrainCaeError`.
    """

    def __init__(self, reason: str, **details: str | None) -> None:
        self.reason = reason
        super().__init__(reason, **{"advice": advice_for(reason)} | details)


class LeakageError(BrainCaeError):
    """The same subject, series or pixel content has two roles, for example training and test."""


class StorageError(BrainCaeError):
    """A file cannot be written or read: full disk, missing permission, disk failure."""


class RunError(BrainCaeError):
    """A run folder or a stored model is missing, damaged or was not written by this program."""
