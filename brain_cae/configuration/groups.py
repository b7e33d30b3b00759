"""Groups whose options have different keys: the name of the option determines the schema."""

from brain_cae.configuration.schema import LeaveProtocolOut, LocalJobs, Processes, SlurmJobs, Split

OPTIONS: dict[str, dict[str, type]] = {
    "split": {"stratified": Split, "protocol": Split, "leave_protocol_out": LeaveProtocolOut},
    "executor": {"processes": Processes, "submitit_local": LocalJobs, "submitit_slurm": SlurmJobs},
}
