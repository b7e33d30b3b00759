"""Expected layout on disk of each data set, for the error messages."""

LAYOUTS = {
    "folder": "<subject>/<modality>.nii.gz, <subject>/<modality>.nii or <subject>/<modality>/<DICOM files>",
    "bids": (
        "sub-<name>/[ses-<name>/]anat/sub-<name>_…_T1w.nii.gz (or T2w, FLAIR; "
        "ce-… in the name marks T1 with contrast agent)"
    ),
    "brats": (
        "folders such as BraTS20_Training_001, BraTS2021_00000, BraTS-GLI-00000-000 or BraTS-MEN-RT-0000-1, at any "
        "depth, with files <folder>_flair.nii[.gz], <folder>-t2f.nii.gz or <folder>_t1c.nii.gz"
    ),
    "ixi": "files such as IXI002-Guys-0828-T1.nii.gz, in one folder or in one folder per contrast",
    "rsna_miccai": "train/<id>/<FLAIR|T1w|T1wCE|T2w>/<DICOM files>",
}
"""Layout by name of the ``dataset`` option."""
