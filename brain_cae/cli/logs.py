"""Log lines in which names from data cannot act on the terminal."""

import logging
from copy import copy

from brain_cae.files.names import printable


class PrintableFormatter(logging.Formatter):
    """Formats records with escapes in place of controls; arguments that are text become one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, see :func:`printable`; only the message itself may have several lines."""
        record = copy(record)
        if isinstance(record.args, tuple):
            record.args = tuple(printable(one) if isinstance(one, str) else one for one in record.args)
        return printable(super().format(record), lines=True)
