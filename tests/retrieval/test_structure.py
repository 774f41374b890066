import re

import pytest

from bertpipe.errors import ConfigError
from bertpipe.retrieval.structure import FLAT, choose_structures, cluster_count, make_structure


@pytest.mark.parametrize(
    ("passages", "width", "memory_mb", "expected"),
    [
        (0, 384, 1000, [FLAT]),
        (26_000, 384, 1000, [FLAT]),
        (26_100, 384, 1000, ["IVF256,PQ192x4fs", "IVF256,SQ8", FLAT]),
        (100_000, 384, 1000, ["IVF512,PQ192x4fs", "IVF512,SQ8", FLAT]),
        (1_000_000, 384, 1000, ["IVF2048,PQ192x4fs", "IVF2048,SQ8", FLAT]),
        (1_000_000, 384, 200, ["IVF2048,PQ192x4fs", FLAT]),
        (1_000_000, 384, 100, ["IVF2048,RaBitQfs", FLAT]),
        (1_000_000, 384, 1, ["IVF2048,RaBitQfs", FLAT]),
        (1_000_000, 255, 1000, ["IVF2048,RaBitQfs", "IVF2048,SQ8", FLAT]),
    ],
)
def test_choice(passages, width, memory_mb, expected):
    assert choose_structures(passages, width, memory_mb) == expected


@pytest.mark.parametrize("passages", [1, 2, 10, 1000, 27_000, 10**6, 10**8])
def test_clusters_are_a_power_of_two_near_twice_the_root(passages):
    count = cluster_count(passages)
    assert count & (count - 1) == 0
    assert count / 2**0.5 <= 2 * passages**0.5 <= count * 2**0.5 or passages == 1


@pytest.mark.parametrize("structure", ["Flat", "RFlat"])
def test_flat_needs_no_structure(structure):
    if structure == "Flat":
        assert make_structure("Flat,RFlat", 5, 8) is None
        assert make_structure(structure, 5, 8) is None
    else:
        with pytest.raises(ConfigError):
            make_structure(structure, 5, 8)


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ("nonsense", "'nonsense' cannot hold vectors of width 384 (could not parse index string nonsense)"),
        ("", "cannot hold vectors"),
        ("IVF64,PQ100x4fs", "cannot hold vectors of width 384"),
        ("IVF64,PQ64x4fs,Refine(SQ8)", "Leave out IDMap and Refine"),
        ("IDMap,SQ8", "Leave out IDMap and Refine"),
        ("IVF4096,SQ8", "needs at least 4,096 passages to be trained (there are 1,000)"),
        ("IVF16,PQ64", None),
        ("PQ64x10", "needs at least 1,024 passages"),
        ("LSH", "cannot hold vectors"),
    ],
)
def test_structures_that_cannot_be(structure, reason):
    if reason is None:
        assert make_structure(structure, 1000, 384) is not None
        return
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        make_structure(structure, 1000, 384)
    assert "index.structure" in str(caught.value)
    assert "\n" not in str(caught.value)
