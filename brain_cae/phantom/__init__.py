"""A physics-based simulator of brain MRI with and without glioma, written as DICOM in the RSNA-MICCAI layout."""

from brain_cae.phantom.motion import Motion, motion_of
from brain_cae.phantom.settings import PhantomSettings
from brain_cae.phantom.subject import Subject, simulate_subject
from brain_cae.phantom.writer import write_cohort

__all__ = ["Motion", "PhantomSettings", "Subject", "motion_of", "simulate_subject", "write_cohort"]
