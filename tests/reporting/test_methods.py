"""The paragraph on methods says what was done, with numbers, versions and references."""

import dataclasses
from dataclasses import asdict

import pytest

from brain_cae.reporting.methods import methods, paragraphs
from brain_cae.reporting.references import BIBTEX
from brain_cae.vocabulary import Serious


@pytest.fixture
def content(make_content, make_config):
    return make_content(views=0, settings=asdict(make_config("preprocess.skull_strip=deepbet", "seed=7")), learnt=56)


def test_the_paragraphs_have_the_numbers_of_the_run(content):
    text = " ".join(paragraphs(content))
    assert "Of 10 series, 7 were imported" in text and "(seed 7)" in text
    assert "56 healthy brains trained the network and 40 others calibrated it" in text
    assert "78 subjects that neither used (44 healthy, 34 abnormal) were evaluated" in text
    assert "T1-weighted and FLAIR MRI" in text and "grid of the FLAIR scan by rigid registration" in text
    assert "deepbet [@fisch2024]" in text and "N4" not in text and "verdict 'clear'" in text
    assert "trained for 40 epochs in batches of 4 with AdamW" in text and "t1 darker and flair brighter" in text
    assert "None" not in text and "not defined" not in text


def test_the_score_is_described_as_it_was_computed(content, make_content, make_config):
    text = " ".join(paragraphs(content))
    assert "16 robust principal components" in text and "matched filter with their covariance" in text
    assert "Its residual was joined with that of the smoothed image itself, without a network." in text
    other = make_content(views=0, settings=asdict(make_config("model=subspace", "scoring.joint=mean")))
    text = " ".join(paragraphs(other))
    assert "There is no network" in text and "autoencoder" not in text and "joined by their mean" in text
    assert "U-Net" in " ".join(paragraphs(make_content(views=0, settings=asdict(make_config("model=translation")))))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["split=stratified"], "at random, stratified by label (seed 7): 56 healthy brains trained the network"),
        (["split=protocol"], "at random, stratified by label and protocol (seed 7): "),
        (["split.file=roles.csv"], "divided by a list of subjects and roles: "),
        (
            ["split=leave_protocol_out", "split.protocol=prisma"],
            "stratified by label (seed 7), but the protocol prisma was held out for the test: ",
        ),
        (["model=subspace"], "(seed 7): 56 healthy brains trained the model and 40 others calibrated it"),
    ],
)
def test_the_division_of_the_subjects_is_the_one_that_was_made(make_content, make_config, overrides, said):
    text = " ".join(paragraphs(make_content(views=0, settings=asdict(make_config("seed=7", *overrides)))))
    assert said in text


def test_a_nested_evaluation_fits_everything_in_each_fold(make_content, make_config):
    settings = asdict(make_config("seed=7", "evaluation=nested", "evaluation.folds=4"))
    text = " ".join(paragraphs(make_content(views=0, settings=settings)))
    assert "divided into 4 outer folds, stratified by label (seed 7): for each, network, threshold and" in text
    assert "78 subjects (44 healthy, 34 abnormal) were evaluated, each once." in text
    assert "healthy brains trained the network" not in text and "the healthy brains that calibrate each fold" in text


def test_new_subjects_were_neither_divided_nor_predicted_out_of_fold(content):
    metrics = content.metrics | {"subjects": {"train": 0, "validation": 0, "classifier": 0, "test": 78}}
    text = " ".join(paragraphs(dataclasses.replace(content, metrics=metrics)))
    assert "The network had been trained with 56 other healthy brains" in text and "was fitted on others" in text
    assert "divided at random" not in text and "out of fold" not in text


def test_what_stripped_the_skulls_is_counted_by_subject(content):
    index = content.index.assign(stripped_by="", source="phantom")
    subjects = index["subject"].unique()
    index.loc[index["subject"].isin(subjects[:3]), "stripped_by"] = "delivered"
    index.loc[index["subject"] == subjects[3], "stripped_by"] = "deepbet"
    text = " ".join(paragraphs(dataclasses.replace(content, index=index)))
    assert f"3 of {len(subjects)} brains came without skull" in text and "We analysed simulated T1" in text
    assert f"1 of {len(subjects)} brains were extracted with deepbet [@fisch2024]" in text


def test_the_references_are_those_that_are_cited(content):
    blocks = {block.heading: block for block in methods(content).blocks}
    entries = blocks["References (BibTeX)"].value
    assert BIBTEX["fisch2024"] in entries and BIBTEX["tejani2024"] in entries and BIBTEX["tustison2010"] not in entries


def test_a_trial_is_not_for_publication(content):
    first = paragraphs(dataclasses.replace(content, cautions=[Serious("This is a trial.")]))[0]
    assert first == "Not for publication: This is a trial."


def test_without_a_configuration_there_is_no_paragraph(make_content):
    assert methods(make_content(views=0)).left_out == "the configuration is not known"
