import dataclasses
import json

import pytest

from bertpipe.errors import ArtefactError, ConfigError
from bertpipe.models.config import PRESETS, BertConfig
from bertpipe.models.transformer_config import TransformerConfig


def test_round_trip(tmp_path):
    config = TransformerConfig(
        vocab_size=50, width=12, encoder_layers=1, decoder_layers=2, heads=3, inner=20, max_length=30, dropout=0.3,
        attention_dropout=0.1, inner_dropout=0.2, positions="rotary", activation="geglu", norm_first=False,
        norm_eps=1e-6, embedding_norm=True, scale_embedding=False, output_bias=True, pad_id=4, start_id=1, end_id=0,
        source_prefix=(7,), source_suffix=(8, 9), first_id=5, forbidden_ids=(2, 3),
    )  # fmt: skip
    default = TransformerConfig(vocab_size=51)
    same = [one.name for one in dataclasses.fields(config) if getattr(config, one.name) == getattr(default, one.name)]
    assert same == []  # so that a field that is not kept shows
    config.save(tmp_path / "config.json")
    assert TransformerConfig.load(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    "name", ["vocab_size", "width", "heads", "inner", "max_length", "encoder_layers", "decoder_layers"]
)
@pytest.mark.parametrize("value", [0, -1])
def test_sizes_are_at_least_1(name, value):
    with pytest.raises(ConfigError, match=f"{name} = {value}"):
        TransformerConfig(**{"vocab_size": 50, name: value})


def test_heads_must_share_the_width():
    with pytest.raises(ConfigError, match="width = 10 with heads = 4"):
        TransformerConfig(vocab_size=50, width=10, heads=4)


@pytest.mark.parametrize("name", ["pad_id", "start_id", "end_id"])
@pytest.mark.parametrize("value", [-1, 50])
def test_special_pieces_are_in_the_vocabulary(name, value):
    with pytest.raises(ConfigError, match=f"{name} = {value} is not in a vocabulary of 50"):
        TransformerConfig(vocab_size=50, **{name: value})


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name):
    layers, width, heads = PRESETS[name]
    config = TransformerConfig.preset(name, 100)
    assert (config.encoder_layers, config.decoder_layers) == (layers, layers)
    assert (config.width, config.heads, config.inner) == (width, heads, 4 * width)


def test_a_preset_with_other_values():
    config = TransformerConfig.preset("tiny", 100, width=64, decoder_layers=1, heads=None, dropout=0.0)
    assert (config.width, config.inner, config.encoder_layers, config.decoder_layers) == (64, 256, 2, 1)
    assert config.dropout == 0.0
    assert config.heads == PRESETS["tiny"][2]
    assert TransformerConfig.preset("tiny", 100, width=64, inner=7).inner == 7


def test_no_such_preset():
    with pytest.raises(ConfigError, match=r"no preset 'giant'.*tiny.*large"):
        TransformerConfig.preset("giant", 100)


def test_rotary_positions_need_even_heads():
    """Raised where the model is made would be a traceback."""
    with pytest.raises(ConfigError, match="rotary"):
        TransformerConfig(vocab_size=50, width=12, heads=4, positions="rotary")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"vocab_size": 50}',
        '{"kind": "transformer"}',
        '{"kind": "transformer", "vocab_size": 50, "colour": "red"}',
        '{"kind": "transformer", "vocab_size": "many"}',
        '{"kind": "bert", "vocab_size": 50}',
    ],
)
def test_what_is_no_configuration(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ArtefactError, match=r"config\.json"):
        TransformerConfig.load(path)


def test_a_configuration_with_impossible_values(tmp_path):
    path = tmp_path / "config.json"
    TransformerConfig(vocab_size=50).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "heads": 3}))
    with pytest.raises((ArtefactError, ConfigError), match="heads = 3"):
        TransformerConfig.load(path)


def test_a_missing_file_and_one_of_another_model(tmp_path):
    with pytest.raises(ArtefactError, match="cannot be read"):
        TransformerConfig.load(tmp_path / "config.json")
    BertConfig(vocab_size=50).save(tmp_path / "config.json")
    with pytest.raises(ArtefactError, match="is not the configuration of a Transformer"):
        TransformerConfig.load(tmp_path / "config.json")


def test_a_source_in_its_frame():
    plain = TransformerConfig(vocab_size=50, end_id=3)
    assert (plain.frame, plain.framed([7, 8, 9], 10), plain.framed([7, 8, 9], 3)) == (1, [7, 8, 9, 3], [7, 8, 3])
    framed = TransformerConfig(vocab_size=50, end_id=3, source_prefix=(10,), source_suffix=(11, 12))
    assert framed.frame == 4
    assert framed.framed([7, 8, 9], 10) == [10, 7, 8, 9, 3, 11, 12]
    assert framed.framed([7, 8, 9], 6) == [10, 7, 8, 3, 11, 12]
    assert framed.framed([7, 8, 9], 2) == [10, 3, 11, 12]


@pytest.mark.parametrize("name", ["source_prefix", "source_suffix", "forbidden_ids"])
def test_pieces_around_texts_are_in_the_vocabulary(name):
    with pytest.raises(ConfigError, match=rf"{name} = \(4, 50\) is not in a vocabulary of 50"):
        TransformerConfig(**{"vocab_size": 50, name: (4, 50)})
    with pytest.raises(ConfigError, match=r"first_id = 50 is not in a vocabulary"):
        TransformerConfig(vocab_size=50, first_id=50)
