"""The networks that speak and those that listen."""

import math

import pytest
import torch

import explorer as ex
from explorer.audio.features import ROWS, features, levelled, parts
from explorer.audio.spectrogram import BANDS, HOP, RATE, log_mel
from explorer.data.speech.phones import NUMBERS, PHONES, SILENCE, timed
from explorer.networks.blocks import build
from explorer.networks.durations import LONGEST, SHORTEST, Durations
from explorer.networks.listener import LEAST, Listener, _runs
from explorer.networks.speech import SpeechUNet, Spoken, fold, make_speech_denoiser, unfold
from explorer.networks.vocoder import SOURCE, Vocoder, pulses

SMALL = {"widths": (16, 24), "voice": 8, "encoder": 16, "sounds": 8, "embedding": 16}
FRAMES = 32


@pytest.fixture(scope="module")
def denoiser() -> ex.Denoiser:
    return make_speech_denoiser(FRAMES, **SMALL)


def network(denoiser: ex.Denoiser) -> SpeechUNet:
    assert isinstance(denoiser.network, SpeechUNet)
    return denoiser.network


def condition(n: int, seed: int = 0) -> torch.Tensor:
    told = torch.randn(n, 3 + ROWS, FRAMES, generator=torch.Generator().manual_seed(seed))
    told[:, 0] = NUMBERS["AE1"]
    return told


def test_folding_takes_two_frames_into_one_and_back() -> None:
    x = torch.arange(2 * 3 * 8.0).reshape(2, 3, 1, 8)
    assert fold(x).shape == (2, 6, 1, 4)
    assert torch.equal(fold(x)[:, :3, 0, 1], x[:, :, 0, 2])
    assert torch.equal(unfold(fold(x)), x)


def test_a_batch_to_train_on_and_what_was_read_before_are_the_same_condition(denoiser: ex.Denoiser) -> None:
    told = condition(2)
    x = torch.randn(2, 1, ROWS, FRAMES)
    with torch.no_grad():
        voice = network(denoiser).encode(told[:, 3:])
        one = denoiser.predict(x, 0.5, told).x0
        other = denoiser.predict(x, 0.5, Spoken(told[:, :3], voice)).x0
    assert torch.allclose(one, other, atol=1e-5)
    assert torch.allclose(voice.norm(dim=1), torch.tensor(math.sqrt(8)))


def test_nothing_said_in_no_voice_is_no_condition(denoiser: ex.Denoiser) -> None:
    x = torch.randn(2, 1, ROWS, FRAMES)
    nothing = torch.zeros(2, 3 + ROWS, FRAMES)
    with torch.no_grad():
        assert torch.equal(denoiser.predict(x, 0.5, nothing).x0, denoiser.predict(x, 0.5).x0)


def test_words_and_voice_each_change_what_is_predicted(denoiser: ex.Denoiser) -> None:
    x, told = torch.randn(1, 1, ROWS, FRAMES), condition(1)
    mute, anybody = told.clone(), told.clone()
    mute[:, :3], anybody[:, 3:] = 0, 0
    with torch.no_grad():
        whole, *less = (denoiser.predict(x, 0.9, one).x0 for one in (told, mute, anybody))
    assert all(float((whole - one).abs().max()) > 1e-3 for one in less)


def test_conditions_side_by_side_are_those_apart(denoiser: ex.Denoiser) -> None:
    told = condition(2)
    spoken = Spoken(told[:, :3], network(denoiser).encode(told[:, 3:]).detach())
    x = torch.randn(2, 1, ROWS, FRAMES)
    with torch.no_grad():
        together = denoiser.predict_each(x, 0.5, [None, spoken])
        apart = [denoiser.predict(x, 0.5, one) for one in (None, spoken)]
    for one, other in zip(together, apart, strict=True):
        assert torch.allclose(one.x0, other.x0, atol=1e-5)


@pytest.mark.parametrize(
    "bad",
    [
        "hello",
        torch.zeros(2, 5, FRAMES),
        torch.zeros(3, 3 + ROWS, FRAMES),
        torch.zeros(2, 3 + ROWS, FRAMES).long(),
        torch.full((2, 3 + ROWS, FRAMES), 0.5),
        torch.full((2, 3 + ROWS, FRAMES), float(len(PHONES) + 1)),
        Spoken(torch.zeros(2, 3, FRAMES), torch.zeros(2, 9)),
        Spoken(torch.zeros(1, 3, FRAMES), torch.zeros(1, 8)),
    ],
)
def test_other_conditions_are_refused(denoiser: ex.Denoiser, bad: object) -> None:
    with pytest.raises(ValueError, match=r"condition must be|sounds are"):
        denoiser.read_condition(bad, 2)


def test_it_learns_to_say_what_it_is_told() -> None:
    denoiser = make_speech_denoiser(FRAMES, **SMALL)
    sounds = torch.stack([timed([phone], [1.0], FRAMES) for phone in ("AE1", "S")]).repeat(8, 1, 1)
    speech = torch.zeros(16, 1, ROWS, FRAMES)
    speech[::2, :, :32], speech[1::2, :, 32:64] = 1.5, 1.5
    told = torch.cat([sounds, torch.randn(16, ROWS, FRAMES, generator=torch.Generator().manual_seed(0))], 1)
    config = ex.TrainConfig(steps=250, batch_size=16, learning_rate=1e-2, condition_dropout=0.0)
    for _ in ex.train(denoiser, (speech, told), config):
        pass
    voice = torch.zeros(2, 8)
    made = ex.sample(denoiser, 2, "dpmpp_2m", 10, 0, Spoken(sounds[:2], voice), keep="last").samples
    low, high = made[:, 0, :32].mean((1, 2)), made[:, 0, 32:64].mean((1, 2))
    assert float(low[0]) > 1 > 0.5 > float(low[1])
    assert float(high[1]) > 1 > 0.5 > float(high[0])


def test_pulses_are_harmonics_of_the_pitch_all_as_loud() -> None:
    sound = pulses(torch.full((1, 81), 200.0), torch.ones(1, 81))[0]
    assert len(sound) == 80 * HOP
    spectrum = torch.fft.rfft(sound[: RATE // 2] * torch.hann_window(RATE // 2)).abs()
    peaks = spectrum[100:1_900:100]  # 2 Hz a place: every 200 Hz
    assert float(peaks.max() / peaks.min()) < 1.2
    between = spectrum[150:1_900:100]
    assert float(between.max()) < 0.05 * float(peaks.min())
    assert float(sound.square().mean().sqrt()) == pytest.approx(SOURCE, rel=0.1)


def test_pulses_are_silent_where_there_is_no_voice() -> None:
    voiced = torch.zeros(1, 81)
    assert float(pulses(torch.full((1, 81), 150.0), voiced).abs().max()) == 0


def test_the_shipped_vocoder_gives_back_the_bands_and_the_pitch_of_speech() -> None:
    from explorer.audio.recordings import read_recording
    from explorer.lessons.voice_cloning.voices import built_in, model

    audio = levelled(read_recording(built_in()["am_adam"].content).audio[: 3 * RATE // HOP * HOP])
    seen = features(audio)[None]
    with torch.inference_mode():
        again = model().vocoder(*parts(seen))
    error = (log_mel(again) - parts(seen)[0]).abs()
    assert float(error.median()) < 0.35  # of a natural logarithm: 3 dB
    _, hertz, voiced = parts(seen)
    _, heard, voiced_again = parts(features(again[0])[None])
    both = (voiced > 0.5) & (voiced_again > 0.5)
    assert float((voiced_again - voiced).abs().mean()) < 0.12
    assert float((heard[both] / hertz[both]).log().abs().median()) < 0.02


def test_the_vocoder_is_as_long_as_its_frames_and_reproducible() -> None:
    vocoder = build(Vocoder, 0)
    told = torch.zeros(2, BANDS, 21), torch.full((2, 21), 120.0), torch.ones(2, 21)
    with torch.inference_mode():
        one, other = vocoder(*told, seed=1), vocoder(*told, seed=1)
    assert one.shape == (2, 20 * HOP)
    assert torch.equal(one, other)


def test_sounds_last_within_bounds_and_shorter_when_speech_is_faster() -> None:
    from explorer.lessons.voice_cloning.voices import model

    phones = [SILENCE, "K", "AE1", "T", SILENCE]
    seconds = model().durations.seconds(phones)
    assert all(SHORTEST <= one <= LONGEST for one in seconds)
    assert seconds[2] > seconds[3]  # a stressed vowel is longer than a stop
    assert model().durations.seconds(phones, 2.0) == pytest.approx([one / 2 for one in seconds])


def test_durations_of_a_batch_are_those_of_each() -> None:
    network = build(Durations, 0)
    numbers = torch.randint(1, len(PHONES), (3, 12), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(network(numbers)[1], network(numbers[1:2])[0], atol=1e-5)


def test_a_sound_that_is_heard_for_an_instant_counts_for_nothing() -> None:
    k, ae, quiet = NUMBERS["K"], NUMBERS["AE1"], NUMBERS[SILENCE]
    assert _runs([quiet] * 3 + [k] * LEAST + [ae] * 5 + [k] + [ae] * 5 + [quiet] * 3) == ["K", "AE"]
    assert _runs([]) == []


def test_a_listener_gives_a_chance_to_each_phone_in_each_frame_and_a_vector_of_unit_length() -> None:
    listener = build(Listener, 0)
    phones, voices = listener(torch.randn(2, ROWS, 40))
    assert phones.shape == (2, len(PHONES) + 1, 40)
    assert torch.allclose(phones.exp().sum(1), torch.ones(2, 40), atol=1e-4)
    assert torch.allclose(voices.norm(dim=1), torch.ones(2))
