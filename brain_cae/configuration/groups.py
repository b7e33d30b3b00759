"""Groups whose options have different keys: the name of the option determines the schema."""

from brain_cae.configuration.schema import (
    Audit,
    BidsDataset,
    BratsDataset,
    ClusteredReshape,
    CombatHarmonise,
    CombinedDataset,
    FixedReshape,
    FolderDataset,
    HistogramHarmonise,
    IsotropicReshape,
    IxiDataset,
    LeaveProtocolOut,
    ModalReshape,
    NoHarmonise,
    PhantomDataset,
    ResidualiseHarmonise,
    RsnaMiccaiDataset,
    SpacingHarmonise,
    Split,
)

OPTIONS: dict[str, dict[str, type]] = {
    "audit": {"standard": Audit},
    "dataset": {
        "phantom": PhantomDataset,
        "rsna_miccai": RsnaMiccaiDataset,
        "folder": FolderDataset,
        "brats": BratsDataset,
        "ixi": IxiDataset,
        "bids": BidsDataset,
        "combined": CombinedDataset,
    },
    "harmonise": {
        "none": NoHarmonise,
        "spacing": SpacingHarmonise,
        "histogram": HistogramHarmonise,
        "combat": CombatHarmonise,
        "residualise": ResidualiseHarmonise,
    },
    "reshape": {
        "fixed": FixedReshape,
        "modal": ModalReshape,
        "clustered": ClusteredReshape,
        "isotropic": IsotropicReshape,
    },
    "split": {"stratified": Split, "protocol": Split, "leave_protocol_out": LeaveProtocolOut},
}
OPTIONS["external"] = OPTIONS["dataset"]
