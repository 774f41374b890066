"""Reading a folder of several files while others take its place."""

import itertools
import threading

import pytest

from bertpipe.errors import ArtefactError
from bertpipe.pipeline.artefact import OLD_PREFIX
from bertpipe.pipeline.publish import exchange, remove_folder
from bertpipe.pipeline.reading import read_whole, state_of


def write(folder, number):
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_text(str(number))
    return folder


def read(folder):
    return {(folder / name).read_text() for name in ("a", "b", "c")}


def replace(folder, number):
    new = write(folder.with_name("new"), number)
    if not exchange(new, folder):
        aside = folder.with_name(f"{OLD_PREFIX}{folder.name}")
        folder.rename(aside)
        new.rename(folder)
        new = aside
    remove_folder(new)


def test_a_reader_never_has_some_of_each(tmp_path):
    folder = write(tmp_path / "place", 0)
    stop = threading.Event()

    def turn():
        number = 0
        while not stop.is_set():
            number += 1
            replace(folder, number)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        for _ in range(300):
            found, _ = read_whole(folder, read)
            assert len(found) == 1
    finally:
        stop.set()
        thread.join()


def test_it_is_read_again_only_if_it_was_replaced(tmp_path):
    folder = write(tmp_path / "place", 0)
    calls = []

    def once(place):
        calls.append(place)
        if len(calls) == 1:
            replace(folder, 1)
            raise ArtefactError("a file is missing")
        return read(place)

    assert read_whole(folder, once) == ({"1"}, state_of(folder))
    assert len(calls) == 2

    def always(place):
        calls.append(place)
        raise ArtefactError("a file is missing")

    with pytest.raises(ArtefactError, match="a file is missing"):
        read_whole(folder, always)
    assert len(calls) == 3


def test_between_two_renames_the_old_state_is_read(tmp_path):
    folder = write(tmp_path / "place", 0)
    state = state_of(folder)
    folder.rename(tmp_path / f"{OLD_PREFIX}place")
    assert state_of(folder) == state
    assert read_whole(folder, read) == ({"0"}, state)


def test_no_folder(tmp_path):
    assert state_of(tmp_path / "place") is None
    with pytest.raises(ArtefactError, match="does not exist"):
        read_whole(tmp_path / "place", read)


def test_each_state_is_another(tmp_path):
    folder = write(tmp_path / "place", 0)
    states = [state_of(folder)]
    for number in range(5):
        replace(folder, number)
        states.append(state_of(folder))
    assert all(one != other for one, other in itertools.pairwise(states))
