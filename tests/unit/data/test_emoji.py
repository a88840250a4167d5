import numpy as np
from PIL import Image

from explorer.data.emoji import FOLDER, SIDE, emoji

FREE = {"Apache-2.0", "MIT", "CC-BY-4.0"}


def test_every_picture_has_a_name_a_style_and_a_maker_under_free_terms() -> None:
    sheet = emoji()
    count = len(sheet.pictures)
    assert len(sheet.concepts) == len(sheet.styles) == len(sheet.held) == len(sheet.captions()) == count
    assert len(sheet.names()) >= 150
    assert {*sheet.styles} == {*sheet.makers}
    assert len({maker["maker"].split(",")[0] for maker in sheet.makers.values()}) >= 4
    assert {maker["terms"] for maker in sheet.makers.values()} <= FREE
    credits = (FOLDER / "README.md").read_text()
    assert all(maker["maker"] in credits and maker["address"] in credits for maker in sheet.makers.values())


def test_the_sheet_is_small_and_each_tile_is_where_it_says() -> None:
    path = FOLDER / "emoji.png"
    assert path.stat().st_size < 4 * 2**20
    image, sheet = Image.open(path), emoji()
    columns = image.width // SIDE
    for place in (0, 1, columns, len(sheet.pictures) - 1):
        left, top = SIDE * (place % columns), SIDE * (place // columns)
        tile = np.array(image.crop((left, top, left + SIDE, top + SIDE)).convert("RGB"))
        np.testing.assert_array_equal(sheet.pictures[place].transpose(1, 2, 0), tile)
    assert sheet.pictures.reshape(len(sheet.pictures), -1).std(1).min() > 5  # none is blank


def test_one_in_ten_pairs_is_held_out_all_pictures_of_it_together() -> None:
    sheet = emoji()
    by_pair: dict[tuple[str, str], set[bool]] = {}
    for concept, style, held in zip(sheet.concepts, sheet.styles, sheet.held, strict=True):
        by_pair.setdefault((concept, style), set()).add(held)
    assert all(len(held) == 1 for held in by_pair.values())
    share = sum(True in held for held in by_pair.values()) / len(by_pair)
    assert 0.07 < share < 0.13
    assert {concept for concept, _ in sheet.held_colours} <= {*sheet.concepts}


def test_characters_stand_for_words_of_the_sheet() -> None:
    characters = emoji().characters
    assert characters["🐧"] == "penguin"
    assert all(not any(letter.isascii() and letter.isalpha() for letter in character) for character in characters)
