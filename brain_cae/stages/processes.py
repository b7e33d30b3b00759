"""The processes of a run that trains on several devices."""

import os

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables with the number of a process, in the order in which Lightning reads them.

Lightning itself is not asked, since it takes seconds to import, and a run needs the answer first.
"""


def is_main_process() -> bool:
    """Return False in the additional processes that Lightning or the cluster starts for DDP."""
    rank = next((os.environ[name] for name in RANKS if name in os.environ), "0")
    return int(rank) == 0 and os.environ.get("NODE_RANK", "0") == "0"
