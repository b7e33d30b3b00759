"""Write the summary of a sweep again: ``python -m brain_cae.reporting multirun/<date>/<time>``."""

import sys
from pathlib import Path

from brain_cae.errors import BrainCaeError
from brain_cae.reporting import write_summary

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Expected the folder of one sweep: python -m brain_cae.reporting multirun/<date>/<time>")
    try:
        print(write_summary(Path(sys.argv[1])).with_name("summary.html"))  # noqa: T201
    except BrainCaeError as error:
        sys.exit(str(error))
