from brain_cae.configuration.identity import choices, configuration_hash, flattened


def test_the_hash_depends_on_every_choice_that_affects_a_result(make_config):
    assert configuration_hash(
        make_config("cache=/elsewhere", "workers=7", "executor=submitit_slurm")
    ) == configuration_hash(make_config())
    others = ["seed=1", "modality=t1", "reshape=fixed", "trainer.max_epochs=41", "dataset.confounding=0.5"]
    assert len({configuration_hash(make_config(*one)) for one in [[], *([other] for other in others)]}) == 6


def test_nested_values_get_dotted_keys():
    nested = {"trainer": {"max_epochs": 3, "progress": True}, "seed": 1, "workers": 2}
    assert dict(flattened(nested)) == {"trainer.max_epochs": 3, "seed": 1}


def test_the_folder_of_a_simulated_cohort_is_not_a_choice():
    phantom = {"dataset": {"name": "phantom", "root": "/here", "subjects": 8}}
    assert choices(phantom) == {"dataset.name": "phantom", "dataset.subjects": 8}
    assert "dataset.root" in choices({"dataset": {"name": "folder", "root": "/here"}})
