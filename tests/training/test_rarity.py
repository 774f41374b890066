import math

from bertpipe.training.rarity import rarities


def test_what_stands_in_every_text_weighs_nothing():
    assert rarities([{"a", "b"}, {"a"}, {"a", "c"}, {"a", "c"}]) == {"a": 0.0, "b": math.log(4), "c": math.log(2)}
    assert rarities([]) == {}
