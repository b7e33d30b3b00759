"""The paragraph on methods for a paper, from what the run did, with its references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from brain_cae.reporting import checklists, evidence, formatting
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.doubts import serious
from brain_cae.reporting.evidence import at, column, label_counts, scored
from brain_cae.reporting.formatting import finite, number
from brain_cae.reporting.references import bibtex, cite
from brain_cae.reporting.sections import Block, Part

CONTRASTS = {"t1": "T1-weighted", "t2": "T2-weighted", "flair": "FLAIR", "t1ce": "contrast-enhanced T1-weighted"}
STRIPPERS = {
    "deepbet": f"deepbet {cite('fisch2024')}", "hd_bet": "HD-BET", "synthstrip": "SynthStrip",
}  # fmt: skip


def methods(content: ReportContent) -> Part:
    """Return the section on methods: the paragraph, its references, and the reporting checklists."""
    if not content.settings:
        return Part("methods", "Methods", "", [], "the configuration is not known")
    text = paragraphs(content)
    cited = re.findall(r"@([a-z]+\d{4})", " ".join(text))
    blocks = [Block("prose", text)] if text else []
    blocks.append(Block("code", bibtex([*cited, "tejani2024", "collins2024"]), "References (BibTeX)"))
    blocks += [
        Block("folded", [table], f"{name}: the run answers {answered} of {len(table.rows)} items")
        for name, table, answered in checklists.tables(content)
    ]
    intro = "Written from what this run did, for the methods section of a paper. Check it, and add what only you know."
    return Part("methods", "Methods", intro, blocks)


def paragraphs(content: ReportContent) -> list[str]:
    """Return the paragraphs: data, preparation, model, decision, statistics, software."""
    parts = [data(content), preparation(content), model(content), decision(content), statistics(content)]
    if caution := serious(content):
        parts.insert(0, f"Not for publication: {' '.join(caution)}")
    return [part for part in [*parts, software(content)] if part]


def _setting(content: ReportContent, *path: str) -> Any:
    return at(content.settings, *path)


def data(content: ReportContent) -> str:
    """Return who was studied, and how subjects were divided."""
    counts, rows = label_counts(content), scored(content)
    contrasts = [CONTRASTS.get(str(name), str(name)) for name in _setting(content, "modality", "names") or []]
    sources = sorted({str(name) for name in column(content.index, "source").dropna()})
    total = column(content.index, "subject").nunique() or len(rows)
    simulated = "simulated " if sources == ["phantom"] else ""
    text = f"We analysed {simulated}{_listed(contrasts)} MRI of {_number(total, 'subject')}"
    text += f" (data: {_listed(sources)})." if sources else "."
    report = content.import_report
    if len(report):
        kept = int((column(report, "status").astype(str) == "imported").sum())
        text += f" Of {len(report)} series, {kept} were imported"
        text += "; import_report.csv gives the reasons for the others." if kept < len(report) else "."
    roles = at(content.metrics, "subjects") or {}
    learner = evidence.learner(content)
    if evidence.is_of_the_study(content):
        used = (
            f"{roles['train']} healthy brains trained the {learner} and {roles.get('validation')} others calibrated it"
        )
        if at(content.metrics, "scoring", "calibration") == "crossfit":
            used = (
                f"{roles['train'] + (roles.get('validation') or 0)} healthy brains were divided into "
                f"{_setting(content, 'calibration', 'folds')} folds, and for each fold a {learner} was trained on "
                "the others and calibrated on the fold (cross-conformal prediction, an approximation); scores and maps "
                f"are the means over the {learner}s, p-values compare each score with its own fold"
            )
        classes = f"({counts['healthy']} healthy, {counts['abnormal']} abnormal)"
        if evidence.outer_folds(content):
            used = f"for each, {learner}, threshold and classifier were fitted anew, with subjects of other folds only"
            evaluated = f"{len(rows)} subjects {classes} were evaluated, each once"
        else:
            evaluated = f"{len(rows)} subjects that neither used {classes} were evaluated"
        text += f" Subjects, not scans, were divided {evidence.division(content)}: {used}; {evaluated}."
    elif content.learnt is not None:
        text += f" The {learner} had been trained with {_number(content.learnt, 'other healthy brain')}."
    return text


def preparation(content: ReportContent) -> str:
    """Return how scans were prepared."""
    settings = _setting(content, "preprocess") or {}
    reference = CONTRASTS.get(str(_setting(content, "modality", "reference")), "reference")
    text = "Volumes were reoriented to RAS"
    if len(_setting(content, "modality", "names") or []) > 1:
        how = "by rigid registration (mutual information, SimpleITK " + cite("lowekamp2013") + ")"
        how = how if settings.get("align") == "rigid" else "by the positions in their headers"
        text += f", and those of a subject brought onto the grid of the {reference} scan {how}"
    text += "."
    text += _stripping(content, str(settings.get("skull_strip")))
    if settings.get("bias_correction") == "n4":
        text += f" Bias fields were corrected with N4 {cite('tustison2010')}."
    scaling = {"median": "median", "white_matter": "white-matter peak"}.get(str(settings.get("scaling")), "median")
    text += f" Intensities were divided by their {scaling} inside the brain."
    if settings.get("space") == "mni":
        text += f" Places were compared between brains after affine registration to MNI152 {cite('fonov2011')}."
    if strategy := _setting(content, "reshape", "name"):
        text += f" Volumes were brought to the dimensions of the network input by the strategy '{strategy}'"
        ratio = at(content.metrics, "reshape", "scale_ratio")
        text += f" (ratio of scale factors {formatting.estimate(ratio)})." if _defined(ratio) else "."
    harmonise = _setting(content, "harmonise", "name")
    if harmonise and harmonise != "none":
        text += f" Scanners were harmonised by '{harmonise}', fitted on healthy training brains."
    return text


def _stripping(content: ReportContent, configured: str) -> str:
    """Return what removed the skulls: as recorded for each subject, or else as configured."""
    by = column(content.index, "stripped_by").fillna("").astype(str)
    if not (by != "").any():
        tool = STRIPPERS.get(configured)
        return f" Brains were extracted with {tool}, unless the data came stripped or with a mask." if tool else ""
    # With a mask on one scan, the whole subject counts as stripped.
    subjects = by.groupby(column(content.index, "subject")).max()
    counts = subjects.value_counts()
    parts = [
        f"{counts[name]} of {len(subjects)} brains {how}"
        for name, how in {
            "delivered": "came without skull",
            "mask": "came with a mask",
            **{name: f"were extracted with {tool}" for name, tool in STRIPPERS.items()},
            "": "were left in their skull",
        }.items()
        if counts.get(name, 0)
    ]
    return f" {_listed(parts)}."


def model(content: ReportContent) -> str:
    """Return what the model is, its network, loss and training."""
    part = _setting(content, "model") or {}
    text = "There is no network: the model is the linear space below." if part.get("network") is None else ""
    text = text or _network(content)
    names = {"subspace": "the smoothed image itself, without a network"}
    if joined := [names.get(str(name), f"a further model '{name}'") for name in part.get("members") or []]:
        text += f" Its residual was joined with that of {_listed(joined)}."
    return text


def _network(content: ReportContent) -> str:
    part, trainer = _setting(content, "model") or {}, _setting(content, "trainer") or {}
    network: Mapping[str, Any] = at(part, "network") or {}
    name = str(network.get("_target_", "")).rpartition(".")[2] or str(part.get("name"))
    translates = part.get("name") == "translation"
    text = f"A 3D U-Net ({name}" if translates else f"A fully convolutional 3D autoencoder ({name}"
    if channels := network.get("channels"):
        text += f", channels {', '.join(map(str, channels))}"
    if latent := network.get("latent_channels"):
        text += f", {latent} latent channels"
    text += ") learnt to predict each contrast of healthy brains from the others" if translates else ""
    text += "" if translates else f") learnt to reconstruct healthy brains only {cite('baur2021')}"
    text += f", with the {str(part.get('loss')).upper()} loss inside the brain"
    if finite(part.get("corruption")):  # 0: none
        text += f" and coarse noise (standard deviation {part['corruption']}) added to its input"
    text += (
        f". It was trained for {trainer.get('max_epochs')} epochs in batches of {trainer.get('batch_size')} with AdamW "
        f"{cite('loshchilov2019')} (one-cycle schedule, peak learning rate {part.get('learning_rate')}, weight decay "
        f"{part.get('weight_decay')}); the weights of the last epoch were used: no brain was needed to choose them."
    )
    return text


def decision(content: ReportContent) -> str:
    """Return score, calibration and classifier."""
    settings = _setting(content, "scoring") or {}
    signs = settings.get("sign")
    names = _setting(content, "modality", "names") or []
    directions = [f"{name} {signs[name]}" for name in names if isinstance(signs, Mapping) and name in signs]
    text = f"The residual was smoothed (Gaussian, {settings.get('smoothing_mm')} mm)"
    if components := finite(at(settings, "scores", "residual", "components")):
        text += (
            f", freed from what healthy brains have in common ({components:.0f} robust principal components, at most a "
            "third of the brains)"
        )
    text += " and expressed as a z-score against healthy brains at the same place"
    text += f", in the direction expected of a glioma ({_listed(directions)})" if directions else ""
    if len(names) > 1:
        how = {"covariance": "a matched filter with their covariance in healthy brains", "mean": "their mean"}
        text += f". Contrasts were joined by {how.get(str(settings.get('joint')), settings.get('joint'))}"
    text += (
        f". The score of a brain is {_statistic(settings)} of this map inside the brain. The "
        f"threshold is conformal {cite('vovk2012', 'bates2023')}: it uses the scores of "
        f"{_calibrating(content)} and no lesion, at alpha = "
        f"{settings.get('alpha')} (rule: {settings.get('guarantee')}). Maps were thresholded where "
        f"{formatting.percent(settings.get('voxel_false_positive_rate'))} of healthy voxels lie above, and the largest "
        "cluster and others like it that few healthy brains have were kept. Baselines "
        f"without a network stand beside it, with the same smoothing, signs and calibration {cite('meissen2022')}."
    )
    classifier = at(content.metrics, "transfer", "classifier")
    if classifier and _defined(at(content.metrics, "transfer", "auroc")):
        text += (
            f" A classifier ({classifier}, {at(content.metrics, 'transfer', 'features')} features; scikit-learn "
            f"{cite('pedregosa2011')}, imbalanced-learn {cite('lemaitre2017')}) "
            + ("predicted each subject out of fold" if evidence.is_of_the_study(content) else "was fitted on others")
        )
        trials = finite(_setting(content, "classifier", "tuning", "trials"))
        text += f", tuned with Optuna {cite('akiba2019')} in {trials:.0f} trials inside each fold." if trials else "."
    return text


def _calibrating(content: ReportContent) -> str:
    if evidence.outer_folds(content):
        return "the healthy brains that calibrate each fold"
    return f"{number(at(content.metrics, 'scoring', 'n_calibration'))} healthy brains"


def _statistic(settings: Mapping[str, Any]) -> str:
    if settings.get("statistic") != "combined":
        return f"percentile {settings.get('percentile')}"
    from brain_cae.scoring.summaries import COMBINED  # brings torch, which a report does not need

    parts = [
        f"{percentile:g}" + (f" after {sigma:g} mm of smoothing" if sigma else "") for percentile, sigma in COMBINED
    ]
    return f"the largest of several percentiles ({', '.join(parts)}), each in standard deviations of healthy brains,"


def statistics(content: ReportContent) -> str:
    """Return intervals, result and audit."""
    auroc = at(content.metrics, "detection", "auroc")
    if not _defined(auroc):
        return ""
    settings = _setting(content, "evaluation") or {}
    text = (
        f"Intervals are 95 %: percentile bootstrap over subjects ({settings.get('resamples')} resamples, stratified by "
        f"class), Wilson for proportions. The AUROC of the residual score was {formatting.estimate(auroc)}"
    )
    gain, baseline = evidence.gain(content), evidence.best_baseline(content)
    if _defined(gain):
        text += f", with a difference of {formatting.estimate(gain, signed=True)} to the best baseline, {baseline}"
    text += "."
    if verdict := at(content.metrics, "audit", "verdict"):
        reasons = " ".join(str(reason) for reason in at(content.metrics, "audit", "reasons") or [])
        text += (
            f" An audit of confounding by acquisition gave the verdict '{str(verdict).replace('_', ' ')}'. {reasons}"
        )
    return text.strip()


def software(content: ReportContent) -> str:
    """Return versions of the software and identity of the run."""
    environment = at(content.metrics, "environment") or {}
    versions = environment.get("versions")
    if not isinstance(versions, Mapping):
        return ""
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = f"Software: {listed} {cite('paszke2019', 'cardoso2022', 'yadan2019')}."
    if environment.get("git"):
        text += f" Commit of the code: {environment['git']}."
    return text + f" Hash of the data: {environment.get('data_hash')}; of the split: {environment.get('split_hash')}."


def _defined(value: Any) -> bool:
    return formatting.estimate(value) != formatting.NOT_DEFINED


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
