"""An invalid key, value or option is an error before any work starts; it says what is valid."""

import pytest

CASES = [
    ("train", "seeed=3", "Did you mean `seed`?"),
    ("train", "+seeed=3", "Did you mean `seed`?"),
    ("train", "trainer.max_epoch=3", "Did you mean `trainer.max_epochs`?"),
    ("train", "+dataset.subject=3", "Did you mean `dataset.subjects`?"),
    ("train", "max_epochs=3", "Did you mean `trainer.max_epochs`?"),
    ("train", "extensions=my_package", "extensions=[my_package]"),
    ("train", "seed=abc", "a whole number"),
    ("train", "seed={a:1}", "a whole number"),
    ("train", "scoring.alpha=1.5", "between 0 and 1"),
    ("train", "scoring.alpha=0.001", "999"),
    ("train", "model.loss=huber", "l1"),
    ("train", "stop_after=training", "import"),
    ("train", "verbosity=loud", "debug"),
    ("train", "reshape=clusterd", "Did you mean `reshape=clustered`?"),
    ("train", "harmonise=combatt", "Did you mean `harmonise=combat`?"),
    ("train", "modality=pet", "t1_flair"),
    ("train", "classifier=1", "Give one option of each group"),
    ("train", "classifier=[logistic,svm]", "-m classifier=a,b"),
    ("train", "~logger", "`logger` is missing"),
    ("train", "dataset=folder", "dataset.root"),
    ("train", "dataset=bids", "sub-<name>"),
    ("train", "dataset=brats inspect=true", "BraTS-GLI-00000-000"),
    ("train", "dataset=dicom", "a zip of them"),
    ("train", "dataset=ixi", "IXI002-Guys-0828-T1.nii.gz"),
    ("train", "dataset=rsna_miccai", "train/<id>"),
    ("train", "dataset=combined +dataset@dataset.parts.clinic=bids", "sub-<name>"),
    ("train", "dataset=folder dataset.root=/scans{1}", 'dataset.root="/scans{1}"'),
    ("train", "model.network.strides=[2,2]", "conf/model/cae.yaml"),
    ("train", "model.network._target_=torch.load", "brain_cae"),
    ("train", "inspect=perhaps", "true or false"),
    ("train", "transfer.compare=[forest]", "random_forest"),
    ("train", "calibration=crossfit trainer.devices=2", "calibration=split"),
    ("train", "classifier.tuning.trials=-1", "0 or more"),
    ("train", "+classifier.tuning.space.D={low:1,high:2}", "class_weight"),
    ("train", "classifier.tuning.space.C.low=20", "low below high and above 0"),
    ("train", "features.levels=none", "bottleneck"),
    ("evaluate", "seed=1", "fixed by the run"),
    ("evaluate", "model=cae", "fixed by the run"),
    ("evaluate", "transfer.compare=[svm] dataset=phantom", "can only be chosen for the subjects of the run"),
    ("evaluate", "export=tiff", "model.zip"),
    ("evaluate", "runn=outputs", "Did you mean `run`?"),
]


@pytest.mark.parametrize(("script", "argument", "expected"), CASES)
def test_an_invalid_argument_is_named_with_what_is_valid(run, says, tmp_path, script, argument, expected):
    done = run(script, *argument.split())
    assert done.code == 1
    cells = says("configuration", f"`python {script}.py {argument}`", done.error)
    assert cells[-1], "it does not say what to do"
    assert expected in done.error
    assert not list(tmp_path.rglob("index.csv"))
