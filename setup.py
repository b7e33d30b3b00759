"""What `pyproject.toml` cannot say: the packages are all below `brain_cae/`, and the top-level folder `conf/`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["brain_cae", "brain_cae.*"]), "brain_cae.conf"],
    package_dir={"brain_cae.conf": "conf"},
)
