"""TAB in bash completes groups, their options, and keys, as docs/install.md says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAB = r"""
eval "$(python train.py --shell-completion install=bash)"
complete_line() {  # as readline does when TAB is pressed at the end of a line
    COMP_LINE=$1 COMP_POINT=${#1}
    read -ra COMP_WORDS <<< "$1"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    hydra_bash_completion
    echo "${COMPREPLY[@]}"
}
complete -p python | grep --only-matching hydra_bash_completion
complete_line "python train.py mod"
complete_line "python evaluate.py dataset=ph"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_groups_and_options():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", TAB], cwd=ROOT, env=environment, capture_output=True, text=True)
    registered, groups, options = done.stdout.splitlines()
    assert registered == "hydra_bash_completion", done.stderr
    assert groups.split() == ["modality.", "modality=", "model.", "model="]
    assert options.split() == ["dataset=phantom"]
