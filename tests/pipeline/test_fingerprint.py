from dataclasses import replace

import pytest

from bertpipe.pipeline.artefact import Manifest
from bertpipe.pipeline.fingerprint import Identity, explain

IDENTITY = Identity("learn", 1, {"lr": 0.1, "name": "a"}, {"corpus": "c1"}, {}, "s1")


def manifest_of(identity, **config):
    return Manifest(
        identity.stage,
        identity.version,
        {**identity.config, **config},
        dict(identity.inputs),
        identity.pinned,
        identity.source,
        identity.fingerprint,
        outputs={},
    )


CHANGES = [
    ({"version": 2}, "bertpipe's stage learn changed (version 1 -> 2)"),
    ({"config": {"lr": 0.0005, "name": "a"}}, "lr 0.1 -> 0.0005"),
    ({"config": {"lr": None, "name": "a"}}, "lr 0.1 -> none"),
    ({"config": {"lr": 0.1, "name": "b"}}, "name a -> b"),
    ({"config": {"lr": 0.1, "name": ""}}, 'name a -> ""'),
    ({"config": {"lr": 0.1, "name": "x" * 99}}, f"name a -> {'x' * 39}…"),
    ({"config": {"lr": 0.1, "name": "a", "size": 3}}, "size is new (3)"),
    ({"config": {"lr": 0.1}}, "its declaration changed"),
    ({"inputs": {"corpus": "c2"}}, "corpus changed"),
    ({"inputs": {"corpus": "c1", "more": "m"}}, "more changed"),
    ({"source": "s2"}, "the files it reads changed"),
    ({"pinned": {"old": {"stage": "old", "version": 1, "config": {}, "inputs": {}}}}, "old is a new input"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES, ids=[reason for _, reason in CHANGES])
def test_every_change_has_another_fingerprint_and_a_reason(change, reason):
    changed = replace(IDENTITY, **change)
    assert changed.fingerprint != IDENTITY.fingerprint
    assert explain(manifest_of(IDENTITY), changed) == [reason]


def test_no_change_has_no_reason():
    assert explain(manifest_of(IDENTITY), replace(IDENTITY)) == []
    assert explain(manifest_of(IDENTITY, threads=8), IDENTITY) == []  # a neutral field, in the manifest only
    assert explain(None, IDENTITY) == ["never run"]


def test_inputs_that_are_not_known_yet():
    unknown = replace(IDENTITY, inputs={"corpus": None})
    assert explain(manifest_of(IDENTITY), unknown) == []
    with pytest.raises(ValueError, match="not known"):
        _ = unknown.fingerprint


def test_the_fingerprint_is_the_same_everywhere():
    """It is stored on disk: a change of this value makes every artefact of every user stale."""
    assert IDENTITY.fingerprint == "13f1e47c4da6519d70ff7ce91170d67b4b4ba795b2c2f2d824d15fb33f81e8a0"


def test_the_work_on_pinned_inputs_depends_on_their_content():
    pinned = replace(IDENTITY, pinned={"old": {}})
    assert pinned.work_key({"old": "1"}) != pinned.work_key({"old": "2"})
    assert IDENTITY.work_key({"corpus": "c1"}) == IDENTITY.fingerprint
