import pickle

from brain_cae.errors import DatasetError, ScanError


def test_a_message_says_what_was_expected_found_where_and_what_to_do():
    error = DatasetError("No scans.", expected="NIfTI", found="a table", where="/scans", advice="Look there.")
    assert str(error).splitlines() == [
        "No scans.", "  Expected: NIfTI", "  Found: a table", "  In: /scans", "  What to do: Look there.",
    ]  # fmt: skip


def test_an_error_keeps_its_parts_on_the_way_from_a_worker_process():
    error = pickle.loads(pickle.dumps(ScanError("gap between slices", where="/scans/1.dcm")))
    assert (error.reason, error.where, str(error).splitlines()[0]) == (
        "gap between slices",
        "/scans/1.dcm",
        error.reason,
    )
