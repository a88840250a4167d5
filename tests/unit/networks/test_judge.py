import pytest
import torch

from explorer.metrics import NotFinite
from explorer.networks.blocks import build
from explorer.networks.judge import Judge

ANSWERS = {"shade": ["dark", "light"], "half": ["left", "right", "neither"]}


def judge() -> Judge:
    return build(lambda: Judge(ANSWERS, width=8), seed=0)


def pictures(n: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Dark and light ones, with a bar on one side or none."""
    generator = torch.Generator().manual_seed(1)
    shade, half = torch.arange(n) % 2, torch.arange(n) % 3
    images = 0.2 * torch.randn(n, 3, 16, 16, generator=generator) + (shade - 0.5)[:, None, None, None]
    for image, side in zip(images, half.tolist(), strict=True):
        if side < 2:
            image[0, :, 8 * side : 8 * side + 4] += 1
    return images, {"shade": shade, "half": half}


def test_it_learns_to_answer_every_question() -> None:
    network, (images, truth) = judge(), pictures(60)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(30):
        logits = network(images)
        loss = sum(torch.nn.functional.cross_entropy(logits[question], truth[question]) for question in ANSWERS)
        optimizer.zero_grad()
        torch.as_tensor(loss).backward()
        optimizer.step()
    for question, names in ANSWERS.items():
        assert [best for (best,) in network.name(images, question)] == [names[index] for index in truth[question]]


def test_the_likeliest_answers_come_first() -> None:
    network, (images, _) = judge(), pictures(5)
    logits = network(images)["half"]
    for row, (first, second, third) in zip(logits, network.name(images, "half", best=3), strict=True):
        values = dict(zip(ANSWERS["half"], row.tolist(), strict=True))
        assert values[first] >= values[second] >= values[third]


def test_images_of_any_size_are_judged_and_broken_ones_are_refused() -> None:
    network = judge()
    assert network(torch.zeros(2, 3, 32, 40))["half"].shape == (2, 3)
    with pytest.raises(NotFinite):
        network.name(torch.full((1, 3, 16, 16), torch.nan), "shade")
    with pytest.raises(KeyError):
        network.name(torch.zeros(1, 3, 16, 16), "smell")
