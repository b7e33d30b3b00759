"""Lists of choices in ``--help``, read from ``conf/``: the options of each group, and the keys of each data set."""

from pathlib import Path

from brain_cae.configuration import conf_folder, option_names
from brain_cae.configuration.options import read_option

CHOSEN_BY_DATASET = ("name", "_target_", "defaults")


def choices(config_name: str) -> str:
    """Return one line for each group that a command takes, with its options.

    Args:
        config_name: ``train`` or ``evaluate``.

    Example:
        >>> print(choices("evaluate").splitlines()[0])
        dataset: bids, brats, combined, dicom, folder, ixi, phantom, rsna_miccai
    """
    composed = read_option("", config_name)["defaults"]
    keys = [key for item in composed if isinstance(item, dict) for key in item]
    groups = [key for key in keys if "@" not in key and not key.startswith("override ")]
    return _for_template("\n".join(f"{group}: {', '.join(option_names(group))}" for group in groups))


def dataset_keys() -> str:
    """Return the keys of each data set with their defaults and meanings."""
    parts = []
    for name in option_names("dataset"):
        keys = _keys(conf_folder() / "dataset" / f"{name}.yaml")
        parts.append("\n".join([f"dataset={name}", *(f"  {line}" for line in keys)]))
    return _for_template("\n".join(parts))


def _keys(path: Path) -> list[str]:
    """Return the lines of an option with its keys, and the comments behind them."""
    lines, skipped = [], False
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" "):
            skipped = line.partition(":")[0] in CHOSEN_BY_DATASET
        if not skipped:
            lines.append(line)
    return lines


def _for_template(text: str) -> str:
    """Return text as it can stand in a page of Hydra, which replaces ``$NAME``."""
    return text.replace("$", "$$")
