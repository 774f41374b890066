import torch

from bertpipe.nn.packing import attention_mask_of, position_ids_of

ROWS = torch.tensor([[1, 1, 1, 2, 2, 0], [1, 2, 3, 3, 3, 3]])


def test_tokens_see_their_own_sequence_only():
    mask = attention_mask_of(ROWS)
    assert mask.shape == (2, 1, 6, 6)
    assert mask[0, 0, 0].tolist() == [True, True, True, False, False, False]
    assert mask[0, 0, 4].tolist() == [False, False, False, True, True, False]
    # Padding sees padding: an empty row of a softmax would be NaN.
    assert mask[0, 0, 5].tolist() == [False, False, False, False, False, True]


def test_positions_restart_with_every_sequence():
    assert position_ids_of(ROWS).tolist() == [[0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 2, 3]]
