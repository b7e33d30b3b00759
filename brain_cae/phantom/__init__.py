"""A physics-based simulator of brain MRI with and without glioma, written as DICOM in the RSNA-MICCAI layout."""

from brain_cae.phantom.settings import PhantomSettings
from brain_cae.phantom.subject import Subject, simulate_subject
from brain_cae.phantom.writer import write_cohort

__all__ = ["PhantomSettings", "Subject", "simulate_subject", "write_cohort"]
