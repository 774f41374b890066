import errno

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bertpipe.text.array_file import ArrayFile, map_array, write_array

DTYPES = [np.uint16, np.uint32, np.int64, np.float32]


@given(
    array=arrays.arrays(st.sampled_from(DTYPES), arrays.array_shapes(min_dims=1, max_dims=3, min_side=0)),
    data=st.data(),
)
def test_the_same_bytes_as_numpy(tmp_path_factory, array, data):
    folder = tmp_path_factory.mktemp("array")
    np.save(folder / "numpy.npy", array)
    write_array(folder / "whole.npy", array)
    split = data.draw(st.integers(0, len(array)))
    with ArrayFile(folder / "parts.npy", array.dtype, array.shape) as file:
        file.append(array[:split])
    with ArrayFile(folder / "parts.npy", array.dtype, array.shape, done=split) as file:
        file.append(array[split:])
    expected = (folder / "numpy.npy").read_bytes()
    assert (folder / "whole.npy").read_bytes() == expected
    assert (folder / "parts.npy").read_bytes() == expected


def test_going_on_writes_over_what_was_not_done(tmp_path):
    path = tmp_path / "array.npy"
    with ArrayFile(path, np.float32, (4, 2)) as file:
        file.append(np.ones((3, 2)))  # killed before the third was noted
    with ArrayFile(path, np.float32, (4, 2), done=2) as file:
        file.append(np.full((2, 2), 7))
    assert np.load(path).tolist() == [[1, 1], [1, 1], [7, 7], [7, 7]]


def test_values_are_converted(tmp_path):
    with ArrayFile(tmp_path / "array.npy", np.float32, (2, 3)) as file:
        file.append(np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)))
    loaded = np.load(tmp_path / "array.npy", mmap_mode="r")
    assert loaded.dtype == np.float32
    assert loaded.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("missing", [1, 100, 5000])
def test_a_file_that_finds_no_room_is_an_error(tmp_path, missing):
    resource = pytest.importorskip("resource")
    array = np.ones(10_000, np.uint16)
    write_array(tmp_path / "array.npy", array)
    size = (tmp_path / "array.npy").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, limits[1]))
        with pytest.raises(OSError, match="large") as caught:
            write_array(tmp_path / "again.npy", array)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG


def test_a_mapped_array_is_the_same_and_cannot_be_written(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_array(tmp_path / "a.npy", array)
    mapped = map_array(tmp_path / "a.npy")
    assert type(mapped) is np.ndarray
    np.testing.assert_array_equal(mapped, array)
    assert not mapped.flags.writeable
    (tmp_path / "a.npy").write_bytes(b"")
    with pytest.raises(EOFError):
        map_array(tmp_path / "a.npy")
