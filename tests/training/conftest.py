import numpy as np
import pytest

from bertpipe.text.token_store import TokenStore, TokenStoreWriter
from bertpipe.training.user_pairs import UserPairs

VOCAB = 300


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> TokenStore:
    """200 documents of random pieces: a title of 4, and 1 to 12 sentences of 2 to 20."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("store")
    writer = TokenStoreWriter(folder, VOCAB, shard_tokens=3000)
    for _ in range(200):
        lengths = rng.integers(2, 21, rng.integers(1, 13))
        writer.add([rng.integers(5, VOCAB, size).tolist() for size in [4, *lengths]])
    writer.close()
    return TokenStore(folder)


@pytest.fixture(scope="session")
def user_pairs(tmp_path_factory) -> UserPairs:
    """60 pairs of random pieces over 20 passages with titles; all but the first have 5 hard negatives."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("pairs")
    writer = TokenStoreWriter(folder, VOCAB)
    texts = [[rng.integers(5, VOCAB, size).tolist() for size in (3, 20)] for _ in range(20)]
    for pair in range(60):
        writer.add([rng.integers(5, VOCAB, 6).tolist(), *texts[pair % 20]])
    writer.close()
    negatives = np.full((60, 8), -1)
    for pair in range(1, 60):
        negatives[pair, :5] = rng.permutation(np.delete(np.arange(20), pair % 20))[:5]
    return UserPairs(TokenStore(folder), np.arange(60) % 20, negatives)
