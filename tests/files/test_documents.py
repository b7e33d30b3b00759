import json
import os

import pytest
import yaml

from brain_cae.files import documents
from brain_cae.files.documents import read_json, read_yaml

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


def test_plain_values_are_read(tmp_path):
    values = {"name": "ü", "list": [1, 2.5, None, True], "nested": {"a": {}}}
    (tmp_path / "a.json").write_text(json.dumps(values), encoding="utf-8-sig")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(values))
    assert read_json(tmp_path / "a.json", encoding="utf-8-sig") == read_yaml(tmp_path / "a.yaml") == values


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir [owned]",
        "!!python/name:os.system",
        "!anything 3",
        BOMB,
        "[" * 100_000,
        "{a: " * 5_000,
        "- " * 5_000,
        "a: b: c",
        "\0",
    ],
)
def test_yaml_that_is_not_plain_values_is_one_kind_of_error(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError):
        read_yaml(tmp_path / "a.yaml")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000, "1" * 5_000, "", "{"])
def test_json_that_cannot_be_held_is_one_kind_of_error(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(("name", "read"), [("LARGEST_JSON", read_json), ("LARGEST_YAML", read_yaml)])
def test_a_file_is_not_read_beyond_the_limit(tmp_path, monkeypatch, name, read):
    monkeypatch.setattr(documents, name, 10)
    (tmp_path / "a").write_text('"12345678"')
    assert read(tmp_path / "a") == "12345678"
    (tmp_path / "a").write_text('"123456789"')
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        read(tmp_path / "a")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_an_error_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(OSError, match="not a file"):
        read_json(tmp_path / "a.json")
