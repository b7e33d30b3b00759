"""Advice for each reason in ``import_report.csv`` why a scan was left out."""

OTHER_SERIES = "This is not an anatomical scan: select another series for the modality; this one can stay where it is."
COPY_AGAIN = "Copy or export the file again."
EXPORT_AGAIN = "Export the complete series again, without files of other series."
CONVERT_AGAIN = "Convert the scan again with a tool that preserves its geometry."
SAVE_AGAIN = "Save the mask again as .nii.gz, with the affine of the scan; any grid is accepted."
REPORT_IT = "Open the scan in a viewer; if it looks intact, please report a bug and quote the reason."

NO_IMAGE = "Nothing to do: it holds no image, and the images around it are read without it."

WHAT_TO_DO = {
    # Missing or damaged files.
    "no files": "Add the scan. If many subjects lack this modality, train without it: modality=…",
    "no usable scan": "The report lists every file of this modality with the reason why it was not used.",
    "no such file": "Correct the path. If it is a link in a partly downloaded data set, download the file.",
    "not a file": "There is a named pipe, a device or a socket in place of the scan: put the file there.",
    "not downloaded": "Fetch the file (datalad get, git annex get, git lfs pull), then import again.",
    "unreadable file": "Check the permissions and the disk; the next import tries again.",
    "changed during the import": "Wait until nothing writes to the file any more; the next import tries again.",
    "changed during preparation": "Wait until nothing writes to the mask any more, then give the command again.",
    "changed since the import": "Give the command again: it then imports the scan as it is now.",
    "truncated file": COPY_AGAIN,
    "damaged header": COPY_AGAIN,
    "wrong number of frames": "The file declares another number of frames than it holds: export the series again.",
    "damaged compression": COPY_AGAIN,
    "not enough memory": "Use fewer workers, or a machine with more memory; the next import tries again.",
    "unreadable folder": "Check the permissions of the folder; the next import tries again.",
    "not DICOM": "Nothing to do unless it is a scan: NIfTI files need the ending .nii, .nii.gz or .hdr.",
    "not NIfTI": "Use the endings .nii and .nii.gz for NIfTI files only; put DICOM files into a separate folder.",
    "not NIfTI: compressed twice": "Unpack the file once: gzip -d.",
    "not NIfTI: a zip archive": "Unpack it, or give the file its own ending.",
    "not NIfTI: a web page": "A download failed, or asked for a login: look at it in a browser, and fetch it again.",
    "half of a pair": "Put the .hdr and the .img of the scan side by side, with one name, or convert them to .nii.gz.",
    "another format": "Convert an image to .nii.gz; unpack an archive. DICOM needs a folder named after the modality.",
    "missing decoder": "Install a decoder for this compression, or export the series uncompressed.",
    "unreadable pixel data": EXPORT_AGAIN,
    "values beyond the stored bits": "The header contradicts the pixel data; export the series again.",
    "no pixel data": EXPORT_AGAIN,
    "unknown scaling": "Export the series again: some slices have no usable rescale slope or intercept.",
    "no image": "Put the DICOM files of the scan into this folder.",
    "cannot be read": REPORT_IT,
    # Objects that are stored among the images.
    "raw data": NO_IMAGE,
    "structured report": NO_IMAGE,
    "presentation state": NO_IMAGE,
    "spectroscopy": NO_IMAGE,
    "encapsulated document": NO_IMAGE,
    "not an image": NO_IMAGE,
    # Not an anatomical MR image.
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
    # Frames of an enhanced file without the one that is taken at their position.
    "fat image": EXPORT_AGAIN,
    "opposed-phase image": EXPORT_AGAIN,
    "in-phase image": EXPORT_AGAIN,
    "first of two echoes": EXPORT_AGAIN,
    "after contrast agent": "Nothing to do: of the scans after contrast agent, only T1w is used (modality t1ce).",
    "contradictory name": "Find out whose scan it is; then correct the name of the file, or move it.",
    "another suffix": "Nothing to do. If this is the intended scan, give it the BIDS suffix …_T1w, …_T2w or …_FLAIR.",
    "colour image": OTHER_SERIES,
    "complex image": "Export the magnitude.",
    "inverted grey scale": "Export the series as MONOCHROME2.",
    # Several scans where one was expected.
    "several series": "Keep one series in the folder, or select one in series.csv.",
    "several NIfTI files": "Keep one file in the folder, or select one in series.csv.",
    "several candidates": "Keep one of the files or folders of this modality, or select one in series.csv.",
    "several sessions": "Keep one session, or enter each visit as a separate subject.",
    "another series was taken": "Nothing to do if this choice is right; otherwise select the other one in series.csv.",
    "another scan was taken": "Nothing to do if this choice is right; otherwise select the other one in series.csv.",
    "another session was taken": "Nothing to do: a subject is used once. series.csv, if read, can select this session.",
    "identical copy": "Nothing to do: these slices are duplicates.",
    "the chosen file is no image": "Correct the path in series.csv.",
    "set aside": "Nothing to do: the anatomical images under the same series UID were taken.",
    # Scans that an export cannot refer to.
    "no frame of reference": "DICOM objects need it; export=bids writes this brain.",
    "more than one frame of reference": "DICOM objects lie in one; export=bids writes this brain.",
    "no study": "DICOM objects belong to a study; export=bids writes this brain.",
    "more than one study": "DICOM objects belong to one study; export=bids writes this brain.",
    "no SOPInstanceUID of each file": "DICOM objects refer to files by it; export=bids writes this brain.",
    # Unusual scans.
    "as few values as a mask": "The image may be a mask or a map of tissues, or intensities between 0 and 1 that were "
    "stored as whole numbers: check which file is meant.",
    "another voxel size in pixdim": "The sform places it, and pixdim says otherwise: check the size of the head, "
    "and convert the scan again if it is wrong.",
    "first voxel at the origin": "Programs that do not know where a scan lies write this place: check that left, right "
    "and the top of the head are where the header says, or convert the scan again.",
    "slices that are copies of others": "Neighbouring slices are the same in every voxel, as after a conversion "
    "that filled gaps, or a padding with the last slice: compare the file with the original scan.",
    "a series UID in every file": "An anonymiser or an archive gave each slice its own SeriesInstanceUID. Check that "
    "the volume is complete, or anonymise again with one UID per series.",
    "one volume under several series UIDs": "Slices that belong together have several SeriesInstanceUIDs. Check that "
    "the volume is complete, or export it again as one series.",
    "repeated instance numbers": "The files come from several series: separate them, or give each series one UID.",
    "the first or the last slices may be missing": "The headers count more images than there are: compare with the "
    "scanner or the archive, and export the series again if it is longer there.",
    "slices between the others may be missing": "The slices are two or more times as far apart as their headers say: "
    "compare with the archive, and export the series again if it has more.",
    "series of several contrasts": "The folder holds series of different contrasts, and only their size or number says "
    "which is meant: leave one in the folder, or name it in a table (dataset.table).",
    "slices of two acquisitions may alternate": "The slices overlap, and their numbers take turns between two halves: "
    "look at the scan. If a repeat lies between the slices, export both as separate series.",
    "series of several dates": "The folder holds series of several examinations, and only their size or number says "
    "which is meant: leave one in the folder, or select one in series.csv.",
    "series of several patients": "The folder holds series with different PatientIDs: check whose scans they are.",
    "times in seconds": "DICOM uses milliseconds; the times were converted, all of a header together.",
    "times of unknown unit": "The header's TR, TE and TI fit neither milliseconds nor seconds: they are not used.",
    # Not a regular volume.
    "no slice position": EXPORT_AGAIN,
    "no pixel spacing": EXPORT_AGAIN,
    "unusable orientation": EXPORT_AGAIN,
    "mixed orientation": "This is a localiser or several stacks; export each stack as a separate series.",
    "incomplete concatenation": "A multi-frame image is divided into several files: export all of them.",
    "single slice": "One slice is not a volume; export the whole series.",
    "duplicate slice position": "Several echoes, time points or copies share this series; export only one of them.",
    "gap between slices": "Slices are missing; export the complete series again.",
    "uneven slice distance": "Slices are missing or belong to several stacks; export the series again.",
    "slices shifted sideways": EXPORT_AGAIN,
    "varying matrix": "Several stacks share this series; export each as a separate series.",
    "varying spacing": "Several stacks share this series; export each as a separate series.",
    "mixed echo times": "Export each echo as a separate series.",
    "not three-dimensional": "Extract one volume and store it as a separate file.",
    "too large": "No scan of a head has so many voxels: the file is damaged, or made to fill the memory.",
    "not the size of a head": "If this is the scan of a head, its header has a wrong voxel size or unit of length.",
    "no orientation": CONVERT_AGAIN,
    "Analyze without orientation": "Convert the original scan to NIfTI; nobody can tell left from right in this file.",
    "unusable dimensions": CONVERT_AGAIN,
    "unusable quaternion": CONVERT_AGAIN,
    "unusable pixdim": CONVERT_AGAIN,
    "unusable vox_offset": CONVERT_AGAIN,
    "unusable scaling": CONVERT_AGAIN,
    "unsupported data type": "Convert the scan to a common data type, such as int16 or float32.",
    "contradictory voxel size": "Find out which of the two is correct, then convert the scan again.",
    "contradictory orientation": "Find out which of the two is correct, then convert the scan again.",
    "unusable affine": CONVERT_AGAIN,
    # Unusable voxel values or masks.
    "non-finite": "Export the scan again; NaN and infinite values cannot be repaired here.",
    "non-finite values": "Export the scan again; NaN and infinite values cannot be repaired here.",
    "blank slice": "The content of slices was lost: export or convert the scan again.",
    "constant volume": "The scan is empty; export it again.",
    "unsigned values read as signed": "The header calls unsigned values signed: correct it there, or convert again.",
    "constant inside the mask": "Check that the modalities of the subject cover the same part of the head.",
    "no positive intensity scale": "Give the scan as it was before its mean was subtracted: much is 0 or negative.",
    "empty mask": "Open the scan and the brain mask in a viewer.",
    "mask without outside": "Save the mask with 0 outside of what it marks.",
    "no match with the template": "Is the brain whole, and without skull? preprocess.space=box needs no match.",
    "partial coverage": "Are both scans from the same session? Training can do without a modality: modality=…",
    "not aligned": "Look at both scans: they may show different heads, only one may show the skull, or a header may "
    "have lost its origin.",
    "not the named contrast": "Image and header show another contrast: rename the scan, or select the right series.",
    "mask elsewhere": "Check that the mask belongs to this scan, and keep it elsewhere if it does not.",
    "skull stripping failed": "Read the tool's message in the log, or provide a brain mask for this subject.",
    "unreadable brain mask": SAVE_AGAIN,
    "unreadable lesion mask": SAVE_AGAIN,
    "cannot be prepared": REPORT_IT,
}


def advice_for(reason: str) -> str | None:
    """Return what to do about a reason, which may continue after a colon or a bracket; None for an unknown one."""
    return WHAT_TO_DO.get(reason) or WHAT_TO_DO.get(reason.partition(":")[0].partition(" (")[0])
