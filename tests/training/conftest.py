import numpy as np
import pytest

from bertpipe.text.token_store import TokenStore, TokenStoreWriter

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
