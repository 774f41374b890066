import torch

from bertpipe.models.answer_reader import AnswerReader
from bertpipe.models.bert import Bert
from bertpipe.models.checkpoint import load_bert, load_reader, save_model
from bertpipe.models.config import BertConfig


def make_reader():
    torch.manual_seed(0)
    return AnswerReader(Bert(BertConfig(60, width=32, layers=2, heads=4, inner=64, max_length=24))).eval()


def batch():
    ids = torch.randint(5, 60, (3, 12))
    mask, types = torch.ones_like(ids), torch.zeros_like(ids)
    mask[1, 8:] = 0
    types[:, 4:] = 1
    return ids, mask, types * mask


def test_two_logits_a_piece_and_padding_changes_none():
    reader = make_reader()
    ids, mask, types = batch()
    logits = reader(ids, mask, types)
    assert logits.shape == (3, 12, 2)
    alone = reader(ids[1:2, :8], mask[1:2, :8], types[1:2, :8])
    torch.testing.assert_close(logits[1, :8], alone[0], atol=1e-5, rtol=1e-5)


def test_segments_tell_the_question_from_the_context():
    reader = make_reader()
    ids, mask, types = batch()
    assert not torch.allclose(reader(ids, mask, types), reader(ids, mask, torch.zeros_like(types)), atol=1e-3)


def test_weights_on_disk(tmp_path):
    reader = make_reader()
    save_model(reader, tmp_path)
    inputs = batch()
    torch.testing.assert_close(load_reader(tmp_path).eval()(*inputs), reader(*inputs))
    torch.testing.assert_close(load_bert(tmp_path)(*inputs), reader.bert(*inputs))
