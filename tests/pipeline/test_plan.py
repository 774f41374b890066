import pytest

from bertpipe.pipeline.plan import in_order
from bertpipe.pipeline.stage import Input, Stage


def stage(name, *inputs):
    return Stage(name, 1, None, tuple(Input(item) for item in inputs), None, "", "")


def names(stages):
    return [item.name for item in in_order(stages)]


def test_inputs_come_first():
    assert names([stage("c", "b"), stage("a"), stage("b", "a"), stage("d")]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "stages",
    [
        [stage("a", "b"), stage("b", "a")],
        [stage("a", "gone")],
        [stage("a"), stage("a")],
    ],
)
def test_declarations_that_make_no_pipeline(stages):
    with pytest.raises(ValueError, match=r"circle|one name"):
        in_order(stages)
