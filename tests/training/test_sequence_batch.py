import torch

from bertpipe.training.sequence_batch import SequenceBatch


def test_tokens_are_counted_without_padding():
    batch = SequenceBatch(
        src_ids=torch.tensor([[7, 3, 0], [7, 8, 3]]),
        src_mask=torch.tensor([[True, True, False], [True, True, True]]),
        tgt_ids=torch.tensor([[2, 9], [2, 0]]),
        labels=torch.tensor([[9, 3], [3, -100]]),
    )
    assert batch.num_tokens == 5 + 3
    moved = batch.to(torch.device("meta"))
    assert {tensor.device.type for tensor in (moved.src_ids, moved.src_mask, moved.tgt_ids, moved.labels)} == {"meta"}
