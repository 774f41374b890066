import io
import re

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece.sentencepiece_model_pb2 import ModelProto

from bertpipe.text.charsmap import character_class, pattern_of, read_charsmap


def charsmap(rule: str) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["some words"]),
        model_writer=model,
        vocab_size=40,
        hard_vocab_limit=False,
        normalization_rule_name=rule,
        minloglevel=2,
    )
    return ModelProto.FromString(model.getvalue()).normalizer_spec.precompiled_charsmap


@pytest.mark.parametrize("rule", ["nmt_nfkc", "nmt_nfkc_cf", "nfkc"])
def test_rules_are_those_that_sentencepiece_follows(rule):
    rules = read_charsmap(charsmap(rule))
    assert len(rules) > 200_000
    # Without the dummy prefix and the squeezing of spaces.
    normalizer = sentencepiece.SentencePieceNormalizer(
        rule_name=rule, add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=False
    )
    for run in sorted(rules)[::199]:
        assert normalizer.normalize(run) == rules[run], run.encode("unicode_escape")
    assert rules["①"] == "1"
    assert rules["e\u0301"] == "é"
    assert rules.get("A", "A") == ("a" if rule == "nmt_nfkc_cf" else "A")


@given(runs=st.sets(st.text("abcd", min_size=1, max_size=4), min_size=1), text=st.text("abcd", max_size=8))
def test_the_longest_run_is_matched(runs, text):
    pattern = re.sub(r"\\x\{(\w+)\}", lambda found: re.escape(chr(int(found[1], 16))), pattern_of(runs))
    found = re.match(pattern, text)
    longest = max((run for run in runs if text.startswith(run)), key=len, default=None)
    assert (found[0] if found else None) == longest


def test_a_class_joins_neighbours():
    assert character_class("cab?") == r"[\x{3f}-\x{3f}\x{61}-\x{63}]"
