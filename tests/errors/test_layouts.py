from brain_cae.configuration import option_names
from brain_cae.errors.layouts import LAYOUTS


def test_every_data_set_read_from_disk_has_a_layout():
    assert set(LAYOUTS) == set(option_names("dataset")) - {"phantom", "combined"}
