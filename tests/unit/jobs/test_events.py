"""Messages between a server and its workers."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explorer.jobs import Event
from explorer.jobs.events import MAX_MESSAGE_BYTES, MessageError, encode, read, read_unopened

numbers = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
dtypes = st.sampled_from(["<f4", "<f8", "<i8", "<i4", "<i2", "u1", ">f4", ">i8"]).map(np.dtype)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
events = st.builds(
    Event,
    st.text(),
    st.dictionaries(st.text(), values, max_size=4),
    st.dictionaries(st.text(), arrays, max_size=3),
    st.integers(min_value=0),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(events, max_size=3))
def test_messages_round_trip(sent):
    stream = io.BytesIO(b"".join(map(encode, sent)))
    for one in sent:
        got = read(stream)
        assert (got.kind, got.data, got.number) == (one.kind, one.data, one.number)
        assert list(got.arrays) == list(one.arrays)
        for name, array in one.arrays.items():
            assert got.arrays[name].dtype == array.dtype.newbyteorder("<")
            np.testing.assert_array_equal(got.arrays[name], array, strict=False)
            assert got.arrays[name].shape == array.shape
            assert got.arrays[name].flags.writeable
    assert read(stream) is None


def test_transposed_and_sliced_arrays_keep_their_values():
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    got = read(io.BytesIO(encode(Event("a", {}, {"t": array.T, "s": array[:, ::2, 1:]}))))
    np.testing.assert_array_equal(got.arrays["t"], array.T)
    np.testing.assert_array_equal(got.arrays["s"], array[:, ::2, 1:])


@settings(deadline=None, max_examples=60)
@given(events, st.data())
def test_a_message_cut_short_is_an_error(sent, data):
    message = encode(sent)
    cut = data.draw(st.integers(1, len(message) - 1))
    with pytest.raises(MessageError):
        read(io.BytesIO(message[:cut]))


@settings(deadline=None, max_examples=60)
@given(events, st.data())
def test_a_corrupt_message_is_an_event_or_an_error(sent, data):
    message = bytearray(encode(sent))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MessageError):
        assert isinstance(read(io.BytesIO(message)), Event)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_any_header_is_an_event_or_an_error(header):
    prefix = len(header).to_bytes(4, "little") + bytes(4)
    with contextlib.suppress(MessageError):
        assert isinstance(read(io.BytesIO(prefix + header)), Event)


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b"1" * 5000,
        b'["a", 1, {}, [["x", "float32", [-1]]]]',
        b'["a", 1, {}, [["x", "float32", [1e9]]]]',
        b'["a", 1, {}, [["x", "float32", [1000000000000, 1000000000000]]]]',
        b'["a", 1, {}, [["x", "object", [0]]]]',
        b'["a", 1, {}, 5]',
        b'{"a": 1, "b": 2, "c": 3, "d": 4}',
    ],
)
def test_hostile_headers_are_errors(header):
    with pytest.raises(MessageError):
        read(io.BytesIO(len(header).to_bytes(4, "little") + bytes(4) + header))


def test_messages_are_bounded():
    with pytest.raises(MessageError):
        encode(Event("a", {}, {"x": np.zeros(MAX_MESSAGE_BYTES // 4 + 1, np.float32)}))
    with pytest.raises(MessageError):
        read(io.BytesIO(b"\xff" * 100))
    with pytest.raises(TypeError, match="complex"):
        encode(Event("a", {}, {"x": np.zeros(2, complex)}))


@settings(deadline=None, max_examples=60)
@given(st.lists(events, max_size=3))
def test_messages_are_passed_on_unopened(sent):
    messages = list(map(encode, sent))
    stream = io.BytesIO(b"".join(messages))
    for one, message in zip(sent, messages, strict=True):
        assert read_unopened(stream) == (one.kind, message)
    assert read_unopened(stream) is None
    with pytest.raises(MessageError):
        read_unopened(io.BytesIO(encode(Event("a"))[:-1]))
