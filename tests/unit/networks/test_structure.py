"""The structure of a U-Net is that of the module in hand: nothing of it is a hand-made list."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from explorer.networks.blocks import build
from explorer.networks.mlp import MLP
from explorer.networks.structure import Part, structure
from explorer.networks.unet import UNet

CASES: dict[str, tuple[dict[str, object], tuple[int, int, int]]] = {
    "plain": ({"widths": (8, 16)}, (1, 8, 8)),
    "classes and attention": ({"widths": (8, 16), "classes": 10, "attention": True, "patch": 1}, (1, 8, 8)),
    "three levels": ({"widths": (8, 16, 24), "depth": 2, "patch": 1}, (1, 28, 28)),
    "large patches": ({"widths": (8, 8), "patch": 4}, (1, 28, 28)),
    "one level": ({"widths": (8,)}, (3, 12, 8)),
    "context": ({"widths": (8, 16), "context": 12, "patch": 1}, (3, 20, 12)),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> tuple[UNet, tuple[int, int, int], list[Part]]:
    size, shape = request.param
    network = build(lambda: UNet(**{"channels": shape[0], **size}), seed=0)
    return network, shape, structure(network, shape)


def recorded(network: UNet, x: Tensor) -> dict[str, Tensor]:
    """With two tokens where there is a context: of one alone every place takes in the same, whatever it asks."""
    record: dict[str, Tensor] = {}
    width = network.size["context"]
    tokens = torch.randn(len(x), 2, width, generator=torch.Generator().manual_seed(1)).to(x) if width else None
    network(x, torch.zeros(1, dtype=x.dtype), tokens, record=record)
    return record


def test_every_recorded_part_is_there_with_its_shape(case: tuple[UNet, tuple[int, int, int], list[Part]]) -> None:
    network, shape, parts = case
    shapes = {name: tuple(h.shape[1:]) for name, h in recorded(network, torch.zeros(1, *shape)).items()}
    assert {part.name: part.output_shape for part in parts} == shapes


def test_what_enters_is_what_the_modules_get(case: tuple[UNet, tuple[int, int, int], list[Part]]) -> None:
    network, shape, parts = case
    watched = copy.deepcopy(network)
    seen: dict[nn.Module, tuple[int, ...]] = {}
    for module in [watched.middle[0], *watched.encoders, *watched.downs, *watched.decoders, *watched.ups]:
        module.register_forward_pre_hook(lambda module, args: seen.update({module: tuple(args[0].shape[1:])}))
    recorded(watched, torch.zeros(1, *shape))
    entering = {part.name: part.input_shape for part in parts}
    assert entering["stem"] == shape
    assert entering["middle"] == seen[watched.middle[0]]
    for level in range(1, len(watched.encoders) + 1):
        assert entering[f"encoder {level}"] == seen[watched.encoders[level - 1]]
        assert entering[f"decoder {level}"] == seen[watched.decoders[level - 1]]
        if level < len(watched.encoders):
            assert entering[f"down {level}"] == seen[watched.downs[level - 1]]
            assert entering[f"up {level}"][0] == seen[watched.ups[level - 1]][0]


def test_parameters_add_up(case: tuple[UNet, tuple[int, int, int], list[Part]]) -> None:
    network, _, parts = case
    assert sum(part.parameters for part in parts) == sum(weights.numel() for weights in network.parameters())
    by_name = {part.name: part.parameters for part in parts}
    assert by_name["decoder 1"] == sum(weights.numel() for weights in network.decoders[0].parameters())


def test_multiply_adds_are_half_of_what_torch_counts(case: tuple[UNet, tuple[int, int, int], list[Part]]) -> None:
    network, shape, parts = case
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # it knows no fused CPU kernel
        network(torch.zeros(1, *shape), torch.zeros(1))
    assert 2 * sum(part.multiply_adds for part in parts) == counter.get_total_flops()


def test_the_centre_sees_its_receptive_field_and_no_more(case: tuple[UNet, tuple[int, int, int], list[Part]]) -> None:
    network, shape, parts = case
    without_norms = copy.deepcopy(network).double()  # a norm couples the whole map
    for module in [*without_norms.modules()]:
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
    x = torch.randn(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    record = recorded(without_norms, x)
    for part in parts:
        if part.field is None:
            assert part.name == "embedding"
            continue
        h = record["middle" if part.name.endswith("attention") else part.name]
        (gradient,) = torch.autograd.grad(
            h[0, :, h.shape[2] // 2, h.shape[3] // 2].square().sum(), x, retain_graph=True
        )
        rows, columns = (gradient[0].abs().amax((0, axis)).nonzero().flatten().tolist() for axis in (2, 1))
        assert part.field == (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1), part.name


def test_the_links_carry_what_they_say(case: tuple[UNet, tuple[int, int, int], list[Part]]) -> None:
    network, shape, parts = case
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    record = recorded(network, x) | {"image": x}
    for part in parts:
        inputs = [*part.inputs, *(["embedding"] if part.modulated else [])]
        for read in inputs:
            (gradient,) = torch.autograd.grad(record[part.name].square().sum(), record[read], retain_graph=True)
            assert gradient.any(), (part.name, read)
    assert {part.kind for part in parts if part.modulated} == {"encoder", "middle", "decoder"}
    assert [part.name for part in parts if len(part.inputs) == 2] == [
        f"decoder {level}" for level in range(len(network.encoders), 0, -1)
    ]


def test_fields_grow_with_depth_and_patches() -> None:
    size, shape = CASES["three levels"]
    fields = {part.name: part.field for part in structure(build(lambda: UNet(**size), 0), shape)}
    assert fields["stem"] == (13, 16, 13, 16)  # 3 x 3 around pixel 14
    assert fields["encoder 1"] == (9, 20, 9, 20)  # and four more convolutions
    size, shape = CASES["large patches"]
    fields = {part.name: part.field for part in structure(build(lambda: UNet(**size), 0), shape)}
    assert fields["stem"] == (8, 20, 8, 20)  # 3 x 3 patches of 4 x 4 pixels


def test_the_network_is_left_as_it_was() -> None:
    size, shape = CASES["classes and attention"]
    network = build(lambda: UNet(**size), 0).requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    structure(network, shape)
    assert all(torch.equal(weights, before[name]) for name, weights in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert not any(weights.requires_grad for weights in network.parameters())


def test_another_network_has_no_such_parts() -> None:
    with pytest.raises(TypeError, match="not a MLP"):
        structure(MLP(), (2,))
