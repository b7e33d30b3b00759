"""Does the way the subjects were scanned explain the result?"""

from brain_cae.audit.result import AuditTest
from brain_cae.audit.verdict import AuditResult, audit

__all__ = ["AuditResult", "AuditTest", "audit"]
