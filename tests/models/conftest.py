import pytest
import torch

from bertpipe.models.transformer import Transformer
from bertpipe.models.transformer_config import TransformerConfig

TRANSFORMER = TransformerConfig(
    vocab_size=23, width=32, encoder_layers=2, decoder_layers=3, heads=4, inner=48, max_length=80
)


@pytest.fixture
def make_transformer():
    """Makes a Transformer whose every weight matters, in evaluation mode."""

    def make(seed: int = 0, sharpness: float = 1.0, **changes) -> Transformer:
        torch.manual_seed(seed)
        model = Transformer(TransformerConfig(**{**TRANSFORMER.__dict__, **changes})).eval()
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:  # biases and norms, which start by doing nothing
                torch.nn.init.normal_(parameter, mean=1.0 if "norm.weight" in name else 0.0, std=0.2)
        if sharpness != 1:  # of the probabilities
            model.decoder.final_norm.weight.data.mul_(sharpness)
        return model

    return make
