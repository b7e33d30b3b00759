"""How often Python looks for cycles of garbage."""

import atexit
import gc

OBJECTS = 10_000
"""New objects before Python looks for cycles among them; its own default is 700."""


def collect_rarely() -> None:
    """Look for cycles less often, and not at all among what lives until the end of the process.

    Loading torch, MONAI and Lightning makes some million objects that all stay. To look through them costs a fifth of
    the time of loading, and about as much once more when the process ends, for memory that the system takes back
    anyway. Arrays and tensors do not lie in cycles and are freed as before.
    """
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
