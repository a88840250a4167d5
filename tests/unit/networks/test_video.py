"""The U-Net for videos."""

import json

import pytest
import torch

import explorer as ex
from explorer.networks.blocks import build
from explorer.networks.video import AlongTime, VideoUNet, make_video_denoiser
from explorer.zoo import from_bytes, to_bytes

FRAMES, SIDE = 4, 8


@pytest.fixture(scope="module")
def denoiser() -> ex.Denoiser:
    return make_video_denoiser((FRAMES, SIDE, SIDE), classes=3, widths=(8, 16))


def test_a_video_keeps_its_shape_with_and_without_a_class(denoiser: ex.Denoiser) -> None:
    x = torch.randn(2, FRAMES, SIDE, SIDE)
    with torch.no_grad():
        told, open_ = denoiser.predict(x, 0.5, torch.tensor([0, 2])), denoiser.predict(x, 0.5)
    assert told.x0.shape == open_.x0.shape == x.shape
    assert not torch.allclose(told.x0, open_.x0)


def test_each_video_is_denoised_alone_and_its_frames_are_not(denoiser: ex.Denoiser) -> None:
    x = torch.randn(3, FRAMES, SIDE, SIDE)
    with torch.no_grad():
        together = denoiser.predict(x, 0.5).x0
        alone = torch.cat([denoiser.predict(one[None], 0.5).x0 for one in x])
        changed = x.clone()
        changed[:, 0] += 1
        other = denoiser.predict(changed, 0.5).x0
    assert torch.allclose(together, alone, atol=1e-5)
    assert bool(((together - other).abs().amax((0, 2, 3)) > 1e-6).all())  # the last frame has seen the first


def test_without_attention_a_frame_sees_its_neighbours_alone() -> None:
    along = build(lambda: AlongTime(8, 16), 0)
    x = torch.randn(16, 8, 8, 8)
    changed = x.clone()
    changed[0, :, 3, 3] += torch.randn(8)
    with torch.no_grad():
        far = (along(x) - along(changed)).abs().amax((1, 2, 3))
    # the norm's mean is over all frames, so a little of it is everywhere; what is convolved reaches one frame
    assert far[1] > 10 * far[2:].max()


def test_several_conditions_are_asked_at_once(denoiser: ex.Denoiser) -> None:
    x = torch.randn(2, FRAMES, SIDE, SIDE)
    with torch.no_grad():
        both = denoiser.predict_each(x, 0.5, [torch.tensor([1, 2]), None])
        assert torch.allclose(both[1].x0, denoiser.predict(x, 0.5).x0, atol=1e-5)


def test_it_learns_and_is_read_back(denoiser: ex.Denoiser) -> None:
    model = make_video_denoiser((FRAMES, SIDE, SIDE), classes=3, widths=(8, 16))
    videos = -torch.ones(8, FRAMES, SIDE, SIDE)
    videos[:, :, 2:5, 2:5] = 1
    losses = [
        event.loss for event in ex.train(model, (videos, torch.arange(8) % 3), ex.TrainConfig(steps=60, batch_size=8))
    ]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    again, about = from_bytes(to_bytes(model, name="clip"))
    assert isinstance(again.network, VideoUNet) and about["name"] == "clip"
    x = torch.randn(1, FRAMES, SIDE, SIDE)
    with torch.no_grad():
        assert torch.allclose(again.predict(x, 0.4).x0, model.predict(x, 0.4).x0, atol=1e-6)


@pytest.mark.parametrize("shape", [[5, 8, 8], [4, 8, 6], [4, 8], [4, 128, 8], [4.0, 8, 8], "488"])
def test_a_file_with_another_shape_is_refused(denoiser: ex.Denoiser, shape: object) -> None:
    content = to_bytes(denoiser)
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].decode()
    described = json.loads(header)
    about = json.loads(described["__metadata__"]["explorer"])
    described["__metadata__"]["explorer"] = json.dumps({**about, "shape": shape})
    changed = json.dumps(described).encode()
    with pytest.raises(ValueError, match="frames"):
        from_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + length :])
