# %% [markdown]
# # A first verdict
#
# brain_cae learns what healthy brains look like, and then says of any other brain how much it differs, where, and
# whether the answer can be believed. This tutorial goes once through all of it with simulated brains: **simulate,
# fit, score, look at the map, read the verdict.** Nothing is downloaded, and no real scan is needed.
#
# It takes a few minutes on a laptop, because everything here is small: 40 brains and two epochs. Its figures
# therefore mean nothing, and the program says so itself. `brain_cae.fit("phantom")` without further choices is the
# real thing (about 160 brains), and `brain_cae.fit("/scans")` reads your own.

# %% [markdown]
# ## Simulate
#
# `simulate` writes heads as DICOM, as a hospital would export them: T1, T2, FLAIR and T1 with contrast, with scanners
# that differ in field strength, plane and slice thickness. The signal follows from the physics of each sequence. Some
# subjects have a glioma.

# %%
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # figures go to files

import matplotlib.pyplot as plt
import nibabel
import numpy as np
from nibabel.processing import resample_from_to

import brain_cae

scans = brain_cae.simulate("new_patients", subjects=3, seed=7)
print(scans.groupby("subject").agg(label=("label", "first"), scans=("modality", " ".join)))

# %% [markdown]
# These three are our new patients: the detector will not see them before it is finished.
#
# ## Fit
#
# `fit` does what `python train.py` does: it imports the scans, aligns each subject's scans, splits the subjects into
# roles, trains the autoencoder on **healthy brains only**, calibrates a threshold on healthy brains that did nothing
# else, scores everybody else, and audits the result. Choices have the names of the command line, with `__` for the
# dot.

# %%
detector = brain_cae.fit(
    "phantom",
    modality="t1_flair",
    debug="fast",
    dataset__subjects=40,
    workers=1,
    trainer__progress=False,
    output="first_run",
)
print(detector)
print(*sorted(path.name for path in Path("first_run").iterdir()), sep=", ")

# %% [markdown]
# The folder holds everything: the model, `report.html`, `metrics.json`, a row per subject in `predictions.csv`, and
# an anomaly map for each brain.
#
# ## Read the verdict before the figures
#
# Every evaluation carries an audit: could the *scanner*, rather than the disease, explain the result? Cautions come
# first, then the verdict, and only then the AUROC.

# %%
metrics = json.loads(Path("first_run/metrics.json").read_text("utf-8"))
for caution in metrics["cautions"]:
    print("Caution:", caution)
print("\nVerdict:", metrics["audit"]["verdict"])
for reason in metrics["audit"]["reasons"]:
    print("-", reason)

# %% [markdown]
# `clear` says that the audit found no sign that acquisition explains the result; `confounded`, that no comparison
# between the classes is evidence; `at risk` and `cannot tell` lie between ([audit_a_cohort](audit_a_cohort.py) shows
# each of them).
#
# The figures have intervals, and stand beside baselines that use no network. A network is worth its trouble only
# where it beats the best of them, which takes a real run and not this trial.

# %%
for name, part in {"residual score": metrics["detection"], **metrics["baseline"]}.items():
    area = part["auroc"]
    print(f"{name:20} AUROC {area['value']:.2f} [{area['low']:.2f}, {area['high']:.2f}]")

# %% [markdown]
# ## Score a new patient
#
# `score` takes the scan of each contrast: a DICOM folder, a NIfTI file, an image or an array. It prepares them
# exactly as the training scans were prepared.

# %%
patient = scans[scans["label"] == "abnormal"].set_index("modality")  # the only one of the three
findings = detector.score({"t1": patient["path"]["t1"], "flair": patient["path"]["flair"]})
print(f"score {findings.score:.2f}, p = {findings.p_value:.2f}, flagged: {findings.flagged}")
for lesion in findings.clusters[:3]:
    x, y, z = lesion.centre_mm
    print(f"{lesion.volume_ml:6.1f} mL at ({x:.0f}, {y:.0f}, {z:.0f}) mm, p = {lesion.p_value:.2f}")

# %% [markdown]
# `p_value` is the share of healthy brains that would score at least as high. It cannot be smaller than one over the
# number of brains that calibrate plus one: with the few brains of this trial, about 0.1 is the best that a brain can
# get. `flagged` is the decision at the accepted rate of false alarms, and `findings.out_of_calibration` says whether
# the scanner was a known one.
#
# ## Look at the map
#
# The map has the space of the reference scan and tells how unusual each place is, in standard deviations of healthy
# brains. This patient is simulated, so we know where the glioma lies and can draw it.

# %%
findings.map.to_filename("map.nii.gz")
values = findings.map.get_fdata()
truth = resample_from_to(nibabel.load(patient["lesion_mask"]["flair"]), findings.map, order=0).get_fdata() > 0
axis = int(np.argmin(values.shape))  # across the slices as they were scanned
place = int(truth.sum(axis=tuple({0, 1, 2} - {axis})).argmax())

figure, panel = plt.subplots(figsize=(4, 4))
panel.imshow(np.ma.masked_equal(values.take(place, axis).T, 0), cmap="inferno", vmin=-4, vmax=8, origin="lower")
panel.contour(truth.take(place, axis).T, levels=[0.5], colors="cyan")
panel.set(title="anomaly map; the true glioma in cyan", xticks=[], yticks=[])
figure.savefig("map.png", dpi=100)
inside, outside = values[truth].mean(), values[(values != 0) & ~truth].mean()
print(f"mean of the map inside the glioma {inside:.1f}, elsewhere in the brain {outside:.1f}")

# %% [markdown]
# ## Open the report, hand the model on
#
# `first_run/report.html` shows all of this and much more, offline and in one file: the highest scores in three planes
# to explore, ROC, calibration, what was done to each scan, and a methods section for the paper. `save` writes the
# model as one file without names or paths, with which another hospital scores its own patients.

# %%
print(detector.save("model.zip").name)

# %% [markdown]
# Next: the same with your own scans ([data](../data.md)), what a threshold promises
# ([calibration](../calibration.md)), and whether your cohort is confounded ([audit_a_cohort](audit_a_cohort.py)).
