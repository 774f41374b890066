import pytest

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.models.config import BertConfig


def test_presets_can_be_changed_in_parts():
    config = BertConfig.preset("mini", 1000, layers=2, width=None)
    assert (config.layers, config.width, config.heads, config.inner) == (2, 256, 4, 1024)
    assert BertConfig.preset("mini", 1000, width=128).inner == 512


def test_impossible_shapes_are_refused():
    with pytest.raises(ConfigError, match="heads must share the width"):
        BertConfig(100, width=30, heads=4)
    with pytest.raises(ConfigError, match="rotary positions turn pairs"):
        BertConfig(100, width=36, heads=4, positions="rotary")
    with pytest.raises(ConfigError, match="Choose one of tiny"):
        BertConfig.preset("huge", 100)
    with pytest.raises(ConfigError, match="vocab_size = 0"):
        BertConfig(0)


def test_round_trip(tmp_path):
    config = BertConfig.preset("tiny", 300, positions="rotary", norm_first=True)
    config.save(tmp_path / "config.json")
    assert BertConfig.load(tmp_path / "config.json") == config


@pytest.mark.parametrize("text", ["", "[1]", '{"vocab_size": 5, "hidden_size": 3}', "{"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ArtefactError):
        BertConfig.load(tmp_path / "config.json")


def test_configurations_from_before_a_field_was_there_can_be_read(tmp_path):
    (tmp_path / "config.json").write_text('{"vocab_size": 300, "width": 8, "heads": 2}')
    config = BertConfig.load(tmp_path / "config.json")
    assert (config.activation, config.pooling) == ("gelu", "weighted")


@pytest.mark.parametrize("name", ["positions", "activation", "pooling"])
def test_kinds_that_do_not_exist_are_refused(name):
    with pytest.raises(ConfigError, match=f"{name} = 'other' .*there are"):
        BertConfig(100, **{name: "other"})
