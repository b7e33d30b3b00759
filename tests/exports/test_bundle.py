"""``export=bundle`` and ``export=model.zip`` write the same file in two places."""

from brain_cae import exports
from brain_cae.detector.bundle import digest
from brain_cae.detector.storage import load
from brain_cae.exports import Export, bundle
from brain_cae.files.run_folder import RunFolder


def test_a_bundle_lies_where_the_user_says_or_in_the_folder_of_the_evaluation(tiny_run, tmp_path):
    work = Export(load(tiny_run), tiny_run, RunFolder(tmp_path / "out"))
    (inside,) = exports.write("bundle", work)
    assert inside == tmp_path / "out" / "export" / "model.zip"
    (named,) = bundle.export(Export(work.detector, tiny_run, work.folder, target=tmp_path / "named.zip"))
    assert named == tmp_path / "named.zip" and digest(named) == digest(inside)
    assert not exports.needs_results("bundle")
