from bertpipe.text.document import is_held_out
from bertpipe.text.readers.split import is_dev

NAMES = [f"text number {number}" for number in range(20_000)]


def test_the_share_is_kept():
    for share in (0.0, 0.1, 0.5, 1.0):
        assert abs(sum(is_dev(name, share) for name in NAMES) / len(NAMES) - share) < 0.01


def test_a_larger_share_only_adds():
    assert all(is_dev(name, 0.3) for name in NAMES if is_dev(name, 0.1))


def test_it_depends_on_the_name_alone():
    # Written down: models that were trained before must not find their dev examples among the others.
    assert [name for name in NAMES[:60] if is_dev(name, 0.1)] == [
        f"text number {n}" for n in (8, 13, 16, 22, 46, 50, 51, 52, 56)
    ]
    assert isinstance(is_dev("half a character: \ud800", 0.1), bool)


def test_it_has_nothing_to_do_with_what_a_corpus_holds_out():
    both = sum(is_dev(name, 0.1) and is_held_out(name) for name in NAMES)
    assert abs(both / len(NAMES) - 0.01) < 0.003
