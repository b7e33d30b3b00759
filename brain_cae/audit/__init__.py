"""Tests whether the way the subjects were scanned can explain the result."""

from brain_cae.audit.auditor import audit, audit_headers
from brain_cae.audit.result import AuditTest, ExtraTest
from brain_cae.audit.verdict import AuditResult
from brain_cae.vocabulary import LabelMeaning

__all__ = ["AuditResult", "AuditTest", "ExtraTest", "LabelMeaning", "audit", "audit_headers"]
