"""Why a scan is left out: the short reasons of ``import_report.csv``, and what to do about each."""

OTHER_SERIES = "It is no anatomic scan: point the modality at another series, or leave this one where it is."
COPY_AGAIN = "Copy or export the file again."
EXPORT_AGAIN = "Export the series again, complete and alone."
CONVERT_AGAIN = "Convert the scan again with a tool that keeps its geometry."
REPORT_IT = "Look at the scan in a viewer; if it is sound, please report this as a defect with the reason."

WHAT_TO_DO = {
    # Nothing, or nothing whole.
    "no files": "Put the scan there, or choose a modality=… that every subject has.",
    "no usable scan": "The files that are there have lines of their own, which say why none is taken.",
    "no such file": "Correct the path; where it is a link of a data set that was fetched in part, fetch the file.",
    "unreadable file": "Check the permissions and the disk; the import tries again next time.",
    "truncated file": COPY_AGAIN,
    "damaged header": COPY_AGAIN,
    "not DICOM": "Remove it, or name NIfTI files .nii or .nii.gz.",
    "not NIfTI": "Name only NIfTI files .nii or .nii.gz; put DICOM into a folder of its own.",
    "missing decoder": "Install a decoder for this compression, or export the series uncompressed.",
    "unreadable pixel data": EXPORT_AGAIN,
    "values beyond the stored bits": "The header contradicts the pixels; export the series again.",
    "no pixel data": EXPORT_AGAIN,
    "no image": "Put the DICOM files of the scan there.",
    "cannot be read": REPORT_IT,
    # Another kind of image.
    "not MR": OTHER_SERIES,
    "mosaic": OTHER_SERIES,
    "localiser": OTHER_SERIES,
    "screenshot": OTHER_SERIES,
    "projection": OTHER_SERIES,
    "diffusion image": OTHER_SERIES,
    "perfusion or functional image": OTHER_SERIES,
    "parameter map": OTHER_SERIES,
    "subtraction image": OTHER_SERIES,
    "phase image": OTHER_SERIES,
    "after contrast agent": "Nothing: after contrast agent only T1w is a modality here (t1ce).",
    "another suffix": "Nothing, or name it as BIDS names this contrast: …_T1w, …_T2w or …_FLAIR.",
    "colour image": OTHER_SERIES,
    "inverted grey scale": "Export the series as MONOCHROME2.",
    # Several where one was meant.
    "several series": "Keep one series in the folder, or name it in series.csv.",
    "several NIfTI files": "Keep one file in the folder.",
    "several candidates": "Keep one of the files or folders that bear this modality's name.",
    "several sessions": "Keep one session, or give each visit a subject of its own.",
    "another series was taken": "Nothing, if the right one was taken; else name the other in series.csv.",
    "another scan was taken": "Nothing, if the right one was taken; else name the other in series.csv.",
    "another session was taken": "Nothing: a subject enters once; where series.csv is read, it may name this one.",
    "identical copy": "Nothing: the slice is there once more.",
    "the chosen file is no image": "Correct the path in series.csv.",
    # No regular volume.
    "no slice position": EXPORT_AGAIN,
    "no pixel spacing": EXPORT_AGAIN,
    "unusable orientation": EXPORT_AGAIN,
    "mixed orientation": "This is a localiser or several stacks; export each stack as a series of its own.",
    "single slice": "One slice is no volume; export the whole series.",
    "duplicate slice position": "Several echoes, time points or copies share this series; export one of them alone.",
    "gap between slices": "Slices are missing; export the series again, complete.",
    "uneven slice distance": "Slices are missing or belong to several stacks; export the series again.",
    "slices shifted sideways": EXPORT_AGAIN,
    "varying matrix": "Several stacks share this series; export each as a series of its own.",
    "varying spacing": "Several stacks share this series; export each as a series of its own.",
    "mixed echo times": "Export each echo as a series of its own.",
    "not three-dimensional": "Take one volume out of the series and store it alone.",
    "no orientation": CONVERT_AGAIN,
    "contradictory orientation": "Find out which of the two is right, then convert the scan again.",
    "unusable affine": CONVERT_AGAIN,
    # No usable values.
    "non-finite": "Export the scan again; a volume with holes cannot be repaired here.",
    "non-finite values": "Export the scan again; a volume with holes cannot be repaired here.",
    "constant volume": "The scan is empty; export it again.",
    "constant inside the mask": "Check that the modalities of the subject cover the same part of the head.",
    "no positive intensity scale": "Check the scan in a viewer: most of the brain is 0 or below.",
    "empty mask": "Look at scan and brain mask in a viewer.",
    "partial coverage": "Check that both belong to one session, or leave this modality out (modality=).",
    "mask elsewhere": "Check that the mask belongs to this scan, or take it away.",
    "skull stripping failed": "Look at the tool's own message in the log; or give a brain mask for this subject.",
    "unreadable mask": "Store the mask again as .nii.gz, on any grid with an affine.",
}


def advice_for(reason: str) -> str | None:
    """Say what to do about a reason; a reason may go on after a colon or a bracket. None for an unknown one."""
    return WHAT_TO_DO.get(reason) or WHAT_TO_DO.get(reason.partition(":")[0].partition(" (")[0])
