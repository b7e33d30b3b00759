"""Jobs: what becomes of their items, with jobs that are simulated, processes of submitit, and a simulated Slurm."""

import os
import signal
import sys
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.executor import Jobs, jobs, results
from brain_cae.executor.jobs import LOCK, JobDied, JobPool


class Died(BaseException):
    """The end of a simulated job."""


@dataclass
class SimulatedJob:
    """A job that has worked in this process before it is asked."""

    folder: Path
    job_id: str
    cancelled: bool = False

    @property
    def paths(self) -> "SimulatedJob":
        return self

    @property
    def stdout(self) -> Path:
        return self.folder / f"{self.job_id}.out"

    def done(self) -> bool:
        return True


@dataclass
class Cluster:
    """Starts simulated jobs, and records the numbers of the calls of each."""

    folder: Path
    chunks: list[list[int]] = field(default_factory=list)
    starts: bool = True

    def start(self, function, calls, folder) -> SimulatedJob:
        self.chunks.append([number for number, _, _ in calls])
        job = SimulatedJob(folder, str(len(self.chunks)))
        try:
            if self.starts:
                function(calls, folder)
        except Died:
            pass
        return job

    def run(self, function, items, **options) -> list[Future]:
        pool = JobPool(self.start, self.folder, **{"chunk": 3, "jobs": 2} | options)
        futures = [pool.submit(function, item) for item in items]
        pool.shutdown(wait=True)
        return futures


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Cluster:
    monkeypatch.setattr(jobs, "POLL_S", 0.05)
    (tmp_path / LOCK).touch()
    return Cluster(tmp_path)


def square(number: int) -> int:
    if number == 13:
        raise ValueError("bad item")
    return number * number


def dies_of_four(number: int) -> int:
    if number == 4:
        raise Died
    return number


def where(number: int) -> tuple[int, str]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS", "")


def ends_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def waits(number: int) -> int:
    if number:
        time.sleep(60)
    return number


def test_calls_are_collected_into_jobs(cluster) -> None:
    assert [future.result() for future in cluster.run(square, range(8))] == [n * n for n in range(8)]
    assert cluster.chunks == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_an_error_belongs_to_its_item_alone_and_says_where_it_was_raised(cluster) -> None:
    good, bad, after = cluster.run(square, [1, 13, 2])
    assert (good.result(), after.result()) == (1, 4)
    with pytest.raises(ValueError, match="bad item") as caught:
        bad.result()
    assert "in square" in caught.value.__notes__[0]


def test_a_job_that_dies_leaves_its_other_items_to_other_jobs(cluster) -> None:
    futures = cluster.run(dies_of_four, range(8), chunk=4, jobs=1)
    assert [future.result() for number, future in enumerate(futures) if number != 4] == [0, 1, 2, 3, 5, 6, 7]
    assert isinstance(futures[4].exception(), JobDied)
    assert cluster.chunks == [[0, 1, 2, 3], [4, 5, 6, 7], [5, 6, 7]]


def test_an_item_in_progress_is_tried_again_if_its_job_had_finished_others(cluster) -> None:
    futures = cluster.run(dies_of_four, range(3, 6))
    assert cluster.chunks == [[0, 1, 2], [1, 2], [2]]
    assert [futures[0].result(), futures[2].result()] == [3, 5]


def test_jobs_that_never_start_stop_the_work_with_their_message(cluster) -> None:
    cluster.starts = False
    (cluster.folder / "1.out").write_text("Traceback\nModuleNotFoundError: No module named 'brain_cae'\n\n")
    futures = cluster.run(square, range(8))
    assert len(cluster.chunks) == 2
    for future in futures:
        with pytest.raises(ConfigurationError, match=r"could not start(.|\n)*No module named 'brain_cae'"):
            future.result()


def test_a_job_ends_when_its_run_is_gone(cluster) -> None:
    (cluster.folder / LOCK).unlink()
    with pytest.raises(SystemExit):
        jobs._work([(0, square, (3,)), (1, dies_of_four, (4,))], cluster.folder)  # does not go on to the second
    assert not list(cluster.folder.glob("*.outcome"))


def test_a_refusal_of_the_cluster_is_an_error_of_the_configuration(cluster) -> None:
    from submitit.core.utils import FailedJobError

    def refuse(*_):
        raise FailedJobError("sbatch: error: invalid partition specified: gpu\n")

    pool = JobPool(refuse, cluster.folder, chunk=2, jobs=2)
    future = pool.submit(square, 3)
    with pytest.raises(ConfigurationError, match="invalid partition specified: gpu"):
        future.result(timeout=5)


@pytest.mark.extras
def test_jobs_are_other_processes_and_leave_nothing_behind(tmp_path) -> None:
    abandoned = tmp_path / "import-0"
    abandoned.mkdir()
    (abandoned / LOCK).touch()
    local = Jobs("local", tmp_path, chunk=3, jobs=2, parameters={"timeout_min": 5})
    done = dict(results(where, range(5), executor=local, task="test", name=str, threads=1))
    first, second = {done[number][0] for number in (0, 1, 2)}, {done[number][0] for number in (3, 4)}
    assert len(first) == len(second) == 1 and len(first | second | {os.getpid()}) == 3
    assert {threads for _, threads in done.values()} == {"1"}
    assert not list(tmp_path.iterdir())


def test_only_the_user_can_open_the_folder_of_jobs(tmp_path) -> None:
    with Jobs("local", tmp_path / "jobs", chunk=1, jobs=1).open("test", 1) as pool:
        assert isinstance(pool, JobPool)
        (folder,) = (tmp_path / "jobs").iterdir()
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.extras
def test_the_subject_that_a_job_dies_of_is_named_and_the_log_stays(tmp_path) -> None:
    local, done = Jobs("local", tmp_path, chunk=4, jobs=2, parameters={"timeout_min": 5}), {}
    with pytest.raises(DatasetError, match=r"A job of the import died(.|\n)*in progress: subject 3\n") as caught:
        done.update(results(ends_at_three, range(3, 6), executor=local, task="import", name=lambda n: f"subject {n}"))
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".out"]
    assert str(caught.value.where).endswith(".out") and Path(caught.value.where).is_file()


# Slurm's commands: jobs are processes that do not inherit the environment's number of threads.
SLURM = {
    "sbatch": """
id=$((100 + $(ls {state} | wc -l)))
cp "$1" {state}/$id
env -u OMP_NUM_THREADS SLURM_JOB_ID=$id setsid bash "$1" > /dev/null 2>&1 < /dev/null &
echo $! > {pids}/$id
echo "Submitted batch job $id"
""",
    "srun": """
while [ "$1" != {python} ]; do [ "$1" = --output ] && log=$(echo "$2" | sed "s/%j/$SLURM_JOB_ID/; s/%t/0/"); shift; done
exec "$@" > "$log" 2>&1
""",
    "sacct": """
echo "JobID|State|NodeList"
for id in $(ls {pids}); do kill -0 $(cat {pids}/$id) 2> /dev/null && echo "$id|RUNNING|n" || echo "$id|FAILED|n"; done
""",
    "scancel": 'kill -TERM -- -$(cat {pids}/$1); echo "$1" >> {cancelled}',
}


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Path:
    """A simulated cluster: the folder with the scripts of the jobs and the list of those that were cancelled."""
    paths = {name: tmp_path / name for name in ("state", "pids", "bin", "cancelled")}
    for name in ("state", "pids", "bin"):
        paths[name].mkdir()
    for name, body in SLURM.items():
        command = paths["bin"] / name
        script = f"#!/bin/bash\n{body}"
        for key, path in (paths | {"python": sys.executable}).items():
            script = script.replace(f"{{{key}}}", str(path))
        command.write_text(script)
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{paths['bin']}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_slurm_gets_the_settings_and_its_jobs_the_number_of_threads(slurm) -> None:
    asked = {"timeout_min": 7, "mem_gb": 3.0, "cpus_per_task": 1, "slurm_partition": "short", "slurm_setup": ["true"]}
    cluster = Jobs("slurm", slurm / "jobs", chunk=3, jobs=2, parameters=asked)
    done = dict(results(where, range(3), executor=cluster, task="import", name=str, threads=1))
    assert {threads for _, threads in done.values()} == {"1"}
    script = (slurm / "state" / "100").read_text()
    for option in ("--time=7", "--mem=3GB", "--partition=short", "--cpus-per-task=1", "--job-name=brain_cae_import"):
        assert f"#SBATCH {option}\n" in script
    assert "true\nexport OMP_NUM_THREADS=1\n" in script
    assert not list((slurm / "jobs").iterdir())


def test_jobs_are_cancelled_when_the_run_is_interrupted(slurm) -> None:
    cluster = Jobs("slurm", slurm / "jobs", chunk=3, jobs=1, parameters={"timeout_min": 7})
    coming = results(waits, range(9), executor=cluster, task="import", name=str)
    assert next(coming) == (0, 0)  # before its job has finished the others
    with pytest.raises(KeyboardInterrupt):
        coming.throw(KeyboardInterrupt)
    assert (slurm / "cancelled").read_text() == "100\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int((slurm / "pids" / "100").read_text()), signal.SIGCONT)
    assert not list((slurm / "jobs").iterdir())
