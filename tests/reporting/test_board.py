"""Results of a run in TensorBoard."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from brain_cae.reporting.board import BRAINS, Embedding, board_folder, final_metrics, write_board
from brain_cae.vocabulary import Serious


@pytest.fixture(scope="module")
def written(make_content, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("board") / "reshape=fixed"
    content = make_content(views=8, cautions=["Subject a\x1b<b> is short."])
    names = content.predictions["subject"][40:60]
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 5)), index=names)
    embedding = Embedding(features, np.linspace(0, 1, 20 * 64).reshape(20, 8, 8))
    write_board(folder, content, parameters={"seed": 3, "reshape": "fixed"}, embedding=embedding)
    return folder


@pytest.fixture(scope="module")
def events(written):
    return EventAccumulator(str(written), size_guidance={"images": 0, "tensors": 0}).Reload()


def test_every_tab_has_something_to_show(events):
    tags = events.Tags()
    assert {"scores/healthy", "scores/abnormal"} == set(tags["histograms"])
    assert {"result/roc", "result/scores"} <= set(tags["images"])
    assert sum(name.startswith("most_anomalous/") for name in tags["images"]) == BRAINS
    assert {"verdict/text_summary", "result/residual score", "result/transfer classifier"} <= set(tags["tensors"])
    assert events.Scalars("result/auroc")[0].value == pytest.approx(0.9, abs=0.1)


def test_the_text_has_the_verdict_and_escapes_names(events):
    text = events.Tensors("verdict/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.startswith("# clear") and "AUROC" in text
    assert "Subject a\\x1b&lt;b> is short." in text


def test_nothing_is_called_clear_above_the_cautions_that_forbid_it(make_content, tmp_path):
    cautions = [Serious("This is a trial."), "Subject a is short."]
    write_board(tmp_path, make_content(views=0, cautions=cautions), parameters={"seed": 3}, embedding=None)
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    text = events.Tensors("verdict/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.startswith("# not a result\n\n- This is a trial.\n\n# clear") and text.count("This is a trial.") == 1
    assert "- **Caution** Subject a is short." in text
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert start.hparams["verdict"].string_value == "not a result"


def test_hparams_hold_choices_verdict_and_the_names_of_the_figures(events):
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert start.hparams["seed"].number_value == 3
    assert start.hparams["verdict"].string_value == "clear"
    content = events.summary_metadata["_hparams_/experiment"].plugin_data.content
    infos = plugin_data_pb2.HParamsPluginData.FromString(content).experiment.metric_infos
    assert {"result/auroc", "result/dice"} <= {info.name.tag for info in infos}


def test_the_projector_has_a_row_and_a_thumbnail_for_each_subject(written, make_content):
    rows = next(written.glob("**/metadata.tsv")).read_text().splitlines()
    assert rows[0].split("\t") == ["subject", "label", "protocol", "score", "flagged"]
    first = make_content().predictions.iloc[40]
    assert rows[1].split("\t")[:3] == [first["subject"], first["label"], first["protocol"]]
    assert len(rows) == 21
    assert next(written.glob("**/sprite.png")).stat().st_size > 0


def test_undefined_figures_are_left_out(make_content):
    metrics = {"detection": {"auroc": {"value": None, "low": None, "high": None}}, "localisation": None}
    assert final_metrics(metrics) == {}


def test_the_folder_tells_the_choices_but_not_where_data_lie():
    choices = {"reshape": "fixed", "dataset.root": "/home/me/scans/IXI/", "modality.names": "[t1, t2]"}
    assert board_folder(Path("run"), choices).name == "reshape=fixed,dataset.root=IXI,modality.names=[t1,_t2]"
    assert board_folder(Path("run"), {}) == Path("run/tensorboard")
    assert board_folder(Path("run"), {"a": "../.."}).parent == Path("run/tensorboard")


def test_of_many_choices_options_come_first_and_no_name_is_cut():
    many = {f"model.key_{number}": "value" for number in range(20)} | {"seed": "3", "reshape": "b" * 300}
    name = board_folder(Path("run"), many).name
    assert name.startswith("seed=3,model.key_0=value,") and name.endswith("=value") and len(name) <= 100
