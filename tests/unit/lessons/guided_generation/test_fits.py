import numpy as np
import torch

import explorer as ex
from explorer.data.emoji import emoji
from explorer.lessons.guided_generation.fits import captions_of, climbed, concept_map, pictures_of, score
from explorer.lessons.guided_generation.pictures import Asked


def real(place: int) -> torch.Tensor:
    return emoji().images(place)


def test_a_real_picture_finds_its_caption_and_a_caption_its_pictures() -> None:
    sheet = emoji()
    places = np.random.default_rng(0).choice(len(sheet.pictures), 40, replace=False)
    hits = [sheet.concepts[place] in [fit.name for fit in captions_of(real(place), 5)] for place in places]
    assert sum(hits) >= 24
    found = [sheet.concepts[fit.place] for fit in pictures_of("strawberry", 6)]
    assert found.count("strawberry") >= 3
    cosines = [fit.cosine for fit in pictures_of("strawberry", 6)]
    assert cosines == sorted(cosines, reverse=True)
    assert -1 <= cosines[-1] <= cosines[0] <= 1


def test_a_picture_fits_its_own_caption_better_than_another() -> None:
    sheet = emoji()
    place = sheet.concepts.index("strawberry")
    assert score(real(place)[None], "strawberry") > score(real(place)[None], "bicycle")


def test_clip_alone_raises_its_own_score() -> None:
    asked = Asked("strawberry", n=2, steps=8)
    model = ex.load_pretrained("emoji")
    still, pushed = (torch.from_numpy(climbed(model, asked, strength)) for strength in (0, 4))
    free = ex.sample(model, 2, "ddim", 8, 0, keep="last").samples.clamp(-1, 1)
    torch.testing.assert_close(still, free, atol=2e-3, rtol=0)
    assert score(pushed, "strawberry") > score(still, "strawberry") + 0.1


def test_the_map_holds_every_concept_and_a_part_of_the_variance() -> None:
    names, places, share = concept_map()
    assert names == tuple(emoji().names())
    assert places.shape == (len(names), 2)
    assert 0 < share < 1
    np.testing.assert_allclose(places.mean(0), 0, atol=1e-4)
