"""Tests whether the way the subjects were scanned can explain the result."""

from brain_cae.audit.auditor import audit, audit_headers
from brain_cae.audit.label_semantics import LabelMeaning
from brain_cae.audit.result import AuditTest
from brain_cae.audit.verdict import AuditResult

__all__ = ["AuditResult", "AuditTest", "LabelMeaning", "audit", "audit_headers"]
