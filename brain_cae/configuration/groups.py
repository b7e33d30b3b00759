"""Groups whose options have different keys: the name of the option determines the schema."""

from brain_cae.configuration.schema import (
    CrossfitCalibration,
    LeaveProtocolOut,
    LocalJobs,
    Logger,
    MlflowLogger,
    Processes,
    SlurmJobs,
    Split,
    SplitCalibration,
    WandbLogger,
)

OPTIONS: dict[str, dict[str, type]] = {
    "calibration": {"split": SplitCalibration, "crossfit": CrossfitCalibration},
    "split": {"stratified": Split, "protocol": Split, "leave_protocol_out": LeaveProtocolOut},
    "executor": {"processes": Processes, "submitit_local": LocalJobs, "submitit_slurm": SlurmJobs},
    "logger": {"tensorboard": Logger, "csv": Logger, "mlflow": MlflowLogger, "wandb": WandbLogger},
}
