import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.ui.film import to_bytes, to_grey


def show(images: object) -> None:
    from explorer.ui.sheet import Row, sheet

    sheet([Row("A <title>", images, ["one", "two"], "two pictures")], ["first", "second"], title='Two "pictures"')


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colours"])
def test_a_row_is_one_picture_with_its_images_and_clear_gaps(channels: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 5, 8, *channels))
    app = AppTest.from_function(show, default_timeout=60, args=(images,)).run()
    assert not app.exception
    (page,) = (element.proto.body for element in app.get("html"))
    assert "A &lt;title&gt;" in page
    assert 'aria-label="Two &quot;pictures&quot;"' in page
    encoded = re.search(r"base64,([^\"]+)", page)
    assert encoded
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded[1]))))
    assert picture.shape == (5, 18, 4 if channels else 2)
    wanted = to_bytes(images, 1.0) if channels else to_grey(images)[..., None]
    for index, left in enumerate((0, 9)):
        inside = picture[:, left : left + 8]
        np.testing.assert_array_equal(inside[..., :-1], wanted[index])
        assert (inside[..., -1] == 255).all()
        assert (picture[:, left + 8, -1] == 0).all()
