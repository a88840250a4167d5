"""Speaking in a voice, and measuring how near it comes."""

import math

import pytest
import torch

from explorer.audio.features import ROWS, features
from explorer.audio.spectrogram import HOP
from explorer.audio.watermark import detect
from explorer.lessons.voice_cloning import comparing, speaking, voices
from explorer.lessons.voice_cloning.large import LARGE, PARTS
from explorer.lessons.voice_cloning.near import near, share_below, understood
from explorer.lessons.voice_cloning.speaking import MULTIPLE, Asked

QUICK = Asked(steps=4)
TEXT = "three one four"


@pytest.fixture(scope="module")
def said() -> speaking.Spoken:
    return speaking.spoken(voices.model(), TEXT, 1.0, voices.reference_of("am_adam").voice, Asked())


def test_a_script_has_all_phones_and_frames_for_the_coarsest_level() -> None:
    told = speaking.script(voices.model(), TEXT)
    assert [word.text for word in told.words] == ["three", "one", "four"]
    assert len(told.phones) == len(told.seconds) == 2 + sum(len(word.phones) for word in told.words)
    assert told.sounds().shape[1] % MULTIPLE == 0
    faster = speaking.script(voices.model(), TEXT, 1.4)
    assert sum(faster.seconds[1:-1]) == pytest.approx(sum(told.seconds[1:-1]) / 1.4)


def test_speech_comes_from_noise_in_as_many_steps_as_asked(said: speaking.Spoken) -> None:
    walk = said.speech
    steps = Asked().steps
    assert walk.x.shape == walk.guess.shape == (steps + 1, 1, ROWS, said.script.sounds().shape[1])
    assert float(walk.x[0].std()) == pytest.approx(1, abs=0.05)
    assert torch.equal(walk.x[-1], walk.guess[-1])
    assert walk.t[-1] == 0
    assert said.noisy.shape == said.guessed.shape == (steps + 1, (walk.x.shape[-1] - 1) * HOP)
    assert bool(said.guessed.isfinite().all())


def test_the_same_seed_says_the_same(said: speaking.Spoken) -> None:
    voice = voices.reference_of("am_adam").voice
    again = speaking.spoken(voices.model(), TEXT, 1.0, voice, Asked())
    other = speaking.spoken(voices.model(), TEXT, 1.0, voice, Asked(seed=1))
    assert torch.equal(said.audio, again.audio)
    assert not torch.equal(said.audio, other.audio)


def test_every_sound_that_leaves_carries_the_mark() -> None:
    text = "The train was full, so we waited for the next one."
    voice = voices.reference_of("af_bella").voice
    assert detect(speaking.spoken(voices.model(), text, 1.0, voice, Asked()).audio).marked
    assert detect(comparing.say(voices.model(), text, 1.0, voice, Asked())[0].audio).marked


def test_texts_of_several_lengths_are_spoken_together() -> None:
    model = voices.model()
    sounds = [speaking.script(model, text).sounds() for text in (TEXT, "one")]
    made = speaking.speak(model, sounds, voices.reference_of("am_adam").voice, QUICK)
    assert made.features.shape[0] == 2
    assert made.features.shape[2] == sounds[0].shape[1]


def test_built_in_voices_are_of_three_kinds_and_their_recordings_can_be_read() -> None:
    kinds = [one.kind for one in voices.built_in().values()]
    assert {kind: kinds.count(kind) for kind in ("known", "blend", "stranger")} == {
        "known": 7,
        "blend": 4,
        "stranger": 6,
    }
    for name, one in voices.built_in().items():
        assert (len(one.parts) > 1) == (one.kind == "blend")
        assert 3 < len(voices.reference_of(name).audio) / 8_000 < 7


def test_two_built_in_voices_differ_in_pitch_and_formants_as_made(said: speaking.Spoken) -> None:
    model = voices.model()
    pair = torch.cat([voices.reference_of(name).voice for name in ("am_adam", "bf_isabella")])
    low, high = comparing.say(model, "We waited for the next one.", 1.0, pair, Asked())
    assert high.pitch > 1.3 * low.pitch
    assert high.brightness > low.brightness


def test_the_way_between_two_voices_stays_on_their_sphere() -> None:
    first, second = (voices.reference_of(name).voice for name in ("am_adam", "af_bella"))
    assert torch.allclose(voices.between(first, second, 0.0), first, atol=1e-4)
    assert torch.allclose(voices.between(first, second, 1.0), second, atol=1e-4)
    middle = voices.between(first, second, 0.5)
    assert float(middle.norm()) == pytest.approx(math.sqrt(first.shape[1]), rel=1e-4)
    assert float(middle @ first.T) == pytest.approx(float(middle @ second.T), rel=1e-3)
    assert torch.equal(voices.between(first, first, 0.3), first)


def test_what_is_measured_on_a_recording_of_the_voice_itself() -> None:
    adam = voices.reference_of("am_adam")
    found = near(adam.audio, adam.judged)
    assert found.to_reference == pytest.approx(1, abs=1e-3)
    assert found.nearest == "am_adam"
    assert set(found.to_others) == set(voices.built_in())
    assert found.above_different == 1


def test_the_listener_hears_words_when_they_are_due_and_not_when_they_are_not(said: speaking.Spoken) -> None:
    heard = understood(said.audio, said.script)
    assert [word for word, _ in heard.words] == ["three", "one", "four"]
    assert sum(right for _, right in heard.words) >= 2
    other = speaking.script(voices.model(), "music paper garden")
    assert understood(said.audio, other).sounds < 0.35 < heard.sounds


def test_shares_below_are_read_from_percentiles() -> None:
    percentiles = [k / 100 for k in range(101)]
    assert share_below(percentiles, 0.25) == pytest.approx(0.25)
    assert (share_below(percentiles, -1), share_below(percentiles, 2)) == (0, 1)


def test_halves_of_one_voice_are_more_alike_than_those_of_two() -> None:
    low, high = (voices.reference_of(name) for name in ("am_adam", "af_bella"))
    both = torch.cat([low.audio[:16_000], high.audio[:16_000]])
    assert voices.halves_alike(features(both)) < 0.5 < voices.halves_alike(low.features)


def test_every_large_model_tells_every_part() -> None:
    assert all(len(large.parts) == len(PARTS) and "https://" in large.source for large in LARGE)
