import pytest
from torch import nn

from bertpipe.errors import ConfigError
from bertpipe.models.bert import Bert
from bertpipe.models.config import BertConfig
from bertpipe.training.layer_rates import freeze, layer_scales
from bertpipe.training.optimizer import adamw_with_warmup


def bert_of(layers):
    return Bert(BertConfig(vocab_size=20, width=8, layers=layers, heads=2, inner=16, max_length=8))


class Model(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.bert = bert_of(layers)
        self.head = nn.Linear(8, 2)


def rates(layers, scales):
    model = Model(layers)
    optimizer = adamw_with_warmup(model, lr=1.0, weight_decay=0.1, warmup=0.0, steps=9, layer_scales=scales)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = optimizer["optimizer"].param_groups
    return {names[id(parameter)]: group["initial_lr"] for group in groups for parameter in group["params"]}


def test_rates_fall_from_top_to_bottom():
    found = rates(11, layer_scales(11, 0.5, "bert."))
    assert found["head.weight"] == 1.0
    assert found["bert.layers.10.attention.output.weight"] == 0.5
    assert found["bert.layers.1.attention.output.weight"] == 0.5**10  # not taken for the tenth
    assert found["bert.layers.0.attention.output.bias"] == 0.5**11
    for name in ("token_embedding", "segment_embedding", "position_embedding", "embedding_norm"):
        assert found[f"bert.{name}.weight"] == 0.5**12
    assert set(rates(2, layer_scales(2, 1.0, "bert.")).values()) == {1.0}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_lowest_layers_are_frozen(count):
    bert = bert_of(2)
    freeze(bert, 3)
    freeze(bert, count)  # says what learns, not what more is frozen
    learning = {name for name, parameter in bert.named_parameters() if parameter.requires_grad}
    assert ("token_embedding.weight" in learning) == ("embedding_norm.bias" in learning) == (count < 1)
    assert ("layers.0.attention.output.weight" in learning) == (count < 2)
    assert ("layers.1.attention.output.weight" in learning) == (count < 3)


def test_more_than_there_are():
    with pytest.raises(ConfigError, match="freeze = 4 is more than there is"):
        freeze(bert_of(2), 4)
