"""What transformers calls the parts of a model, family by family.

Every table goes from our name of a module to theirs; ``{}`` stands for the number of a layer. Names of the body stand
without the prefix (``bert.``) that they carry in a model with a head.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_EMBEDDINGS: Final = {
    "bert.token_embedding": "embeddings.word_embeddings",
    "bert.position_embedding": "embeddings.position_embeddings",
    "bert.segment_embedding": "embeddings.token_type_embeddings",
    "bert.embedding_norm": "embeddings.LayerNorm",
}
_ATTENTION: Final = {
    "bert.layers.{}.attention.query": "encoder.layer.{}.attention.self.query",
    "bert.layers.{}.attention.key": "encoder.layer.{}.attention.self.key",
    "bert.layers.{}.attention.value": "encoder.layer.{}.attention.self.value",
    "bert.layers.{}.attention.output": "encoder.layer.{}.attention.output.dense",
}
_FEED_FORWARD: Final = {
    "bert.layers.{}.feed_forward.inner": "encoder.layer.{}.intermediate.dense",
    "bert.layers.{}.feed_forward.output": "encoder.layer.{}.output.dense",
}
_POST_NORMS: Final = {
    "bert.layers.{}.attention_norm": "encoder.layer.{}.attention.output.LayerNorm",
    "bert.layers.{}.feed_forward_norm": "encoder.layer.{}.output.LayerNorm",
}
_POOLER: Final = {"next_sentence.pooler": "pooler.dense"}
_BERT_BODY: Final = {**_EMBEDDINGS, **_ATTENTION, **_FEED_FORWARD, **_POST_NORMS, **_POOLER}
_BERT_MASKED_LANGUAGE: Final = {
    "masked_language": "cls.predictions",
    "masked_language.transform": "cls.predictions.transform.dense",
    "masked_language.norm": "cls.predictions.transform.LayerNorm",
}
_ROBERTA_MASKED_LANGUAGE: Final = {
    "masked_language": "lm_head",
    "masked_language.transform": "lm_head.dense",
    "masked_language.norm": "lm_head.layer_norm",
}

_PROJECTIONS: Final = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}

# Devlin et al. 2019.
BERT: Final = MappingProxyType(
    {**_BERT_BODY, **_BERT_MASKED_LANGUAGE, "next_sentence.classifier": "cls.seq_relationship"}
)
# Liu et al. 2019. The body is BERT's.
ROBERTA: Final = MappingProxyType({**_BERT_BODY, **_ROBERTA_MASKED_LANGUAGE})
# Sanh et al. 2019: no segments, no pooler.
DISTILBERT: Final = MappingProxyType(
    {
        "bert.token_embedding": "embeddings.word_embeddings",
        "bert.position_embedding": "embeddings.position_embeddings",
        "bert.embedding_norm": "embeddings.LayerNorm",
        "bert.layers.{}.attention.query": "transformer.layer.{}.attention.q_lin",
        "bert.layers.{}.attention.key": "transformer.layer.{}.attention.k_lin",
        "bert.layers.{}.attention.value": "transformer.layer.{}.attention.v_lin",
        "bert.layers.{}.attention.output": "transformer.layer.{}.attention.out_lin",
        "bert.layers.{}.attention_norm": "transformer.layer.{}.sa_layer_norm",
        "bert.layers.{}.feed_forward.inner": "transformer.layer.{}.ffn.lin1",
        "bert.layers.{}.feed_forward.output": "transformer.layer.{}.ffn.lin2",
        "bert.layers.{}.feed_forward_norm": "transformer.layer.{}.output_layer_norm",
        "masked_language": "vocab_projector",
        "masked_language.transform": "vocab_transform",
        "masked_language.norm": "vocab_layer_norm",
    }
)
# RoBERTa with the norms first ("efficient_mlm", Wettig et al. 2022).
ROBERTA_PRE_NORM: Final = MappingProxyType(
    {
        **_EMBEDDINGS,
        **_ATTENTION,
        **_FEED_FORWARD,
        "bert.layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "bert.layers.{}.feed_forward_norm": "encoder.layer.{}.intermediate.LayerNorm",
        "bert.final_norm": "LayerNorm",
        **_POOLER,
        **_ROBERTA_MASKED_LANGUAGE,
    }
)
# Su et al. 2021: BERT with rotary positions.
ROFORMER: Final = MappingProxyType(
    {
        **{ours: theirs for ours, theirs in _BERT_BODY.items() if ours != "next_sentence.pooler"},
        **_BERT_MASKED_LANGUAGE,
    }
)
# Lin et al. 2022: norms first, rotary positions; made for proteins, but the arithmetic is of no kind of text.
ESM: Final = MappingProxyType(
    {
        "bert.token_embedding": "embeddings.word_embeddings",
        "bert.embedding_norm": "embeddings.layer_norm",
        **_ATTENTION,
        **_FEED_FORWARD,
        "bert.layers.{}.attention_norm": "encoder.layer.{}.attention.LayerNorm",
        "bert.layers.{}.feed_forward_norm": "encoder.layer.{}.LayerNorm",
        "bert.final_norm": "encoder.emb_layer_norm_after",
        **_POOLER,
        **_ROBERTA_MASKED_LANGUAGE,
    }
)

_TRANSFORMER_LAYER: Final = {
    **{f"attention.{ours}": f"self_attn.{theirs}" for ours, theirs in _PROJECTIONS.items()},
    "attention_norm": "self_attn_layer_norm",
    "feed_forward.inner": "fc1",
    "feed_forward.output": "fc2",
    "feed_forward_norm": "final_layer_norm",
}
_CROSS_ATTENTION: Final = {
    **{f"cross_attention.{ours}": f"encoder_attn.{theirs}" for ours, theirs in _PROJECTIONS.items()},
    "cross_attention_norm": "encoder_attn_layer_norm",
}
_STACKS: Final = {"encoder": _TRANSFORMER_LAYER, "decoder": {**_TRANSFORMER_LAYER, **_CROSS_ATTENTION}}
# Lewis et al. 2020; and all that grew from BART's code: mBART, Marian, Pegasus, Blenderbot.
TRANSFORMER: Final = MappingProxyType(
    {
        "token_embedding": "shared",
        **{f"{stack}.position_embedding": f"{stack}.embed_positions" for stack in _STACKS},
        **{f"{stack}.embedding_norm": f"{stack}.layernorm_embedding" for stack in _STACKS},
        **{f"{stack}.final_norm": f"{stack}.layer_norm" for stack in _STACKS},
        **{
            f"{stack}.layers.{{}}.{ours}": f"{stack}.layers.{{}}.{theirs}"
            for stack, layer in _STACKS.items()
            for ours, theirs in layer.items()
        },
    }
)

_LAYER: Final = re.compile(r"(?<=\blayers\.)\d+")


def their_names(table: Mapping[str, str], tensors: Iterable[str]) -> dict[str, str]:
    """Their name of each of our tensors; tensors without a counterpart are left out.

    Args:
        table: One of this file's.
        tensors: Our names, such as ``bert.layers.3.attention.query.weight``.
    """
    found = {}
    for name in tensors:
        module, _, parameter = name.rpartition(".")
        number = _LAYER.search(module)
        theirs = table.get(_LAYER.sub("{}", module))
        if theirs is not None:
            found[name] = f"{theirs.format(number[0]) if number else theirs}.{parameter}"
    return found


def is_of_body(name: str) -> bool:
    """Whether one of our tensors carries the prefix of the body in a model with a head."""
    return name.startswith(("bert.", "next_sentence.pooler."))
