"""Work on many subjects: in processes of this machine, or in jobs of a cluster.

Every stage that works on subjects one by one calls :func:`results`. An executor says where: :class:`Processes` on this
machine, or :class:`Jobs`. Both start a pool with the interface of ``concurrent.futures``.
"""

from brain_cae.executor.jobs import Jobs
from brain_cae.executor.processes import HERE, Processes, start_server
from brain_cae.executor.work import READER_START_S, Executor, refusals, results

__all__ = ["HERE", "READER_START_S", "Executor", "Jobs", "Processes", "refusals", "results", "start_server"]
