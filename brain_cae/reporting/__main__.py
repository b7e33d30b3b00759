"""Pages over several runs: ``python -m brain_cae.reporting multirun/<date>/<time>`` and ``… compare RUN RUN …``."""

import argparse
import sys
from pathlib import Path

from brain_cae.errors import BrainCaeError
from brain_cae.reporting.run_comparison import write_comparison
from brain_cae.reporting.summary import write_summary


def main(arguments: list[str]) -> Path:
    """Write the page that the arguments ask for, and return its path."""
    if arguments[:1] == ["compare"]:
        parser = argparse.ArgumentParser(
            "python -m brain_cae.reporting compare", description="Write a page that compares runs."
        )
        parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs; the first is the reference")
        parser.add_argument("--output", type=Path, default=Path("comparison.html"), help="the page (comparison.html)")
        given = parser.parse_args(arguments[1:])
        return write_comparison(given.runs, given.output)
    parser = argparse.ArgumentParser(
        "python -m brain_cae.reporting",
        description="Write the summary of a sweep again, or a page that compares runs.",
        epilog="To compare runs: python -m brain_cae.reporting compare RUN RUN … (compare --help shows more).",
    )
    parser.add_argument(
        "sweep", type=Path, help="folder of a sweep, multirun/<date>/<time>: its summary is written again"
    )
    return write_summary(parser.parse_args(arguments).sweep).with_name("summary.html")


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))  # noqa: T201
    except BrainCaeError as error:
        sys.exit(str(error))
