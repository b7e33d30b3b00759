"""What the transfer stage takes from the configuration."""

from brain_cae.estimates import MIN_PER_CLASS_HELD_OUT
from brain_cae.stages.transfer_plan import min_per_class, transfer_plan

from ..conftest import compose_config


def test_a_held_out_protocol_needs_more_subjects_of_each_class_and_is_never_crossfitted() -> None:
    config = compose_config("split=leave_protocol_out", "split.protocol=a")
    assert min_per_class(compose_config().split) == 1
    assert min_per_class(config.split) == transfer_plan(config).min_per_class == MIN_PER_CLASS_HELD_OUT > 1
    plan = transfer_plan(config)
    assert config.evaluation.name == "crossfit" and plan.holds_out and plan.holds_out_protocol


def test_holding_out_a_test_set_is_not_holding_out_a_protocol() -> None:
    plan = transfer_plan(compose_config("evaluation=holdout"))
    assert plan.holds_out and not plan.holds_out_protocol and plan.min_per_class == 1


def test_every_classifier_is_compared_once_and_the_chosen_one_comes_first() -> None:
    plan = transfer_plan(compose_config("classifier=svm", "transfer.compare=[svm,knn,logistic,knn]"))
    assert [classifier.name for classifier in plan.classifiers] == ["svm", "knn", "logistic"]
    assert plan.classifiers[0] is plan.classifier


def test_features_are_harmonised_only_by_a_harmoniser_of_features() -> None:
    assert transfer_plan(compose_config()).make_harmoniser() is None
    plan = transfer_plan(compose_config("harmonise=residualise"))
    first, second = plan.make_harmoniser(), plan.make_harmoniser()
    assert first is not None and first is not second


def test_every_estimate_is_resampled_alike() -> None:
    plan = transfer_plan(compose_config("seed=7", "evaluation.resamples=123"))
    assert plan.resampling == {"seed": 7, "resamples": 123, "min_per_class": 1}
