"""The scan package loads fast."""

import subprocess
import sys


def test_scans_load_without_the_heavy_packages():
    code = (
        "import sys, brain_cae.scans.store, brain_cae.scans.protocol, brain_cae.scans.sources.folder, "
        "brain_cae.scans.sources.phantom, brain_cae.scans.sources.rsna_miccai;"
        "heavy = ('torch', 'monai', 'lightning', 'pytorch_lightning', 'nilearn');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
