"""Outputs for the reader: the report, its figures, the TensorBoard panel and the summary of a sweep."""

from brain_cae.reporting.content import ReportContent, SubjectView
from brain_cae.reporting.panels import training_panel
from brain_cae.reporting.patients import addresses, write_patients
from brain_cae.reporting.report import write_audit_report, write_report
from brain_cae.reporting.run_comparison import write_comparison
from brain_cae.reporting.summary import write_summary

__all__ = [
    "ReportContent",
    "SubjectView",
    "addresses",
    "training_panel",
    "write_audit_report",
    "write_comparison",
    "write_patients",
    "write_report",
    "write_summary",
]
