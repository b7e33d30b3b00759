"""The page of a patient speaks of that patient alone, under a safe name."""

import dataclasses
import json
import re

import pytest

from brain_cae.files.names import file_names
from brain_cae.reporting.patients import addresses, write_patients
from brain_cae.vocabulary import Serious

EVIL = "../</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def pages(make_content, make_view, tmp_path_factory):
    scans = [Serious("a wrong scan of another", ["other"]), Serious("a wrong scan", [EVIL])]
    content = make_content(views=0, cautions=["a caution of the cohort", Serious("a trial"), *scans], learnt=56)
    subjects = content.predictions["subject"].tolist()
    content = dataclasses.replace(
        content, predictions=content.predictions.replace({"subject": {subjects[-1]: EVIL}}), title="a cohort"
    )
    view = dataclasses.replace(make_view(EVIL), modality=EVIL, others={})
    folder = tmp_path_factory.mktemp("run") / "patients"
    files = file_names([EVIL])
    write_patients(folder, content, [view], files)
    return folder, files


def test_a_hostile_name_is_a_safe_file_and_text(pages):
    folder, files = pages
    assert sorted(path.name for path in folder.iterdir()) == sorted([f"{files[EVIL]}.html", "niivue.js"])
    assert addresses(files)[EVIL].startswith("patients/") and "/" not in addresses(files)[EVIL][9:]
    page = (folder / f"{files[EVIL]}.html").read_text()
    assert "<script>alert" not in page and "</script><script>a" not in page
    stored = json.loads(re.search(r'id="brain-0">(.*?)</script>', page)[1])
    assert stored["images"][0]["name"] == EVIL


def test_the_page_has_the_patient_and_nothing_of_the_others(pages):
    folder, files = pages
    page = (folder / f"{files[EVIL]}.html").read_text()
    assert "highest scores" not in page and "1 subject scored" not in page, "the page has one brain"
    assert "One brain, " in page and "unlabelled" not in page
    assert "a trial" in page and "a caution of the cohort" not in page and "00050" not in page
    assert "a wrong scan" in page and "a wrong scan of another" not in page
    assert "The brain is" in page and "AUROC" not in page and "not defined" not in page
    assert 'href="../report.html"' in page and "The network learnt from 56 healthy brains" in page
    assert re.findall(r'<section id="([a-z]*)"', page)[:2] == ["verdict", "subjects"]
