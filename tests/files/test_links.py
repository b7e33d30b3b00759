import pytest

from brain_cae.errors import RunError
from brain_cae.files.links import refuse_links
from brain_cae.files.run_folder import RunFolder


@pytest.mark.parametrize("name", ["train.log", "anomaly_maps", "model/config.yaml", ".hydra/config.yaml"])
@pytest.mark.parametrize("there", [True, False])
def test_a_run_does_not_start_in_a_folder_with_a_link_that_leads_out(tmp_path, name, there):
    victim, run = tmp_path / "victim", tmp_path / "run"
    if there:
        victim.mkdir()
    (run / name).parent.mkdir(parents=True)
    (run / name).symlink_to(victim)
    with pytest.raises(RunError, match="link") as caught, RunFolder(run).status():
        pass
    assert caught.value.where == str(run / name) and str(victim) in str(caught.value)
    assert not (run / "status.json").exists() and (not there or not list(victim.iterdir()))


def test_links_inside_of_a_folder_and_the_folder_itself_may_be_links(tmp_path):
    (tmp_path / "disk" / "a").mkdir(parents=True)
    (tmp_path / "disk" / "b").symlink_to("a")
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    refuse_links(tmp_path / "run")
    refuse_links(tmp_path / "not here")
    (tmp_path / "disk" / "a" / "c").symlink_to("../../outside")
    with pytest.raises(RunError):
        refuse_links(tmp_path / "run")
