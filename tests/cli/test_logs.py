"""Log lines."""

import logging

from brain_cae.cli.logs import PrintableFormatter


def line(message, *args):
    return PrintableFormatter("%(message)s").format(logging.makeLogRecord({"msg": message, "args": args}))


def test_names_cannot_act_on_the_terminal():
    assert line("%s is left out: %d", "a\x1b]0;title\x07\nERROR b", 3) == "a\\x1b]0;title\\x07\\nERROR b is left out: 3"
    assert line("subject \x9b2J") == "subject \\x9b2J"


def test_a_message_may_have_several_lines():
    assert line("%s", ValueError("one\n  Expected: two\x1b")) == "one\n  Expected: two\\x1b"
