"""What a browser may send as a drawing: anything."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explorer.ui.pad import MOST_POINTS, decode_image, decode_points, encode_points

EXTENT = 3.2

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
texts = st.text() | st.binary().map(lambda content: base64.b64encode(content).decode())


@given(json_values | texts)
def test_any_json_is_points_in_range_or_none(drawing: object) -> None:
    points = decode_points(drawing, EXTENT)
    if points is not None:
        assert points.dtype == np.float32
        assert points.shape[1:] == (2,)
        assert len(points) > 0
        assert np.isfinite(points).all()
        assert np.abs(points).max() <= np.float32(EXTENT)


@given(json_values | texts | st.binary(min_size=64, max_size=64).map(lambda b: base64.b64encode(b).decode()))
def test_any_json_is_an_image_in_range_or_none(drawing: object) -> None:
    image = decode_image(drawing, 8)
    if image is not None:
        assert image.dtype == np.float32
        assert image.shape == (8, 8)
        assert -1 <= image.min() < image.max() <= 1 or image.min() == image.max() > -1


@given(arrays(np.float64, st.tuples(st.integers(1, 50), st.just(2)), elements=st.floats(-10, 10)))
def test_points_come_back_clipped(points: np.ndarray) -> None:
    decoded = decode_points(encode_points(points, EXTENT), EXTENT)
    assert decoded is not None
    np.testing.assert_allclose(decoded, np.clip(points, -EXTENT, EXTENT), atol=1e-4)


def test_at_most_the_first_20000_points_are_kept() -> None:
    content = np.arange(2 * MOST_POINTS + 2, dtype="<i2").tobytes()
    points = decode_points(base64.b64encode(content).decode(), EXTENT)
    assert points is not None
    assert points.shape == (MOST_POINTS, 2)


@pytest.mark.parametrize("decode", [decode_points, decode_image])
@pytest.mark.parametrize("drawing", [None, "", "AAA", "AAAA", "AAAA====", "é", "A" * 11, [0, 0], {"drawing": 1}])
def test_junk_is_none(decode, drawing: object) -> None:
    assert decode(drawing, 28) is None


def test_a_black_image_is_none_and_white_is_one() -> None:
    assert decode_image(base64.b64encode(bytes(64)).decode(), 8) is None
    white = decode_image(base64.b64encode(bytes([255]) * 64).decode(), 8)
    np.testing.assert_array_equal(white, np.ones((8, 8), np.float32))
