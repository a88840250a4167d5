"""Weights in every precision, what optimisers keep, and layers of low rank."""

import pytest
import torch
from torch import Tensor, nn

from explorer.hardware.memory import Memory, estimate_memory
from explorer.hardware.weights import LowRank, Weights, add_low_rank, count_weights, optimizer_bytes

N = 10 * 20 + 20 + 20 * 5 + 5


class Block(nn.Module):
    """A linear layer, a norm that stays in 32 bits, a table, a buffer and a plain tensor."""

    _keep_in_fp32_modules = ("norm",)

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(32, 100), nn.LayerNorm(100)
        self.table = nn.Parameter(torch.zeros(7))
        self.register_buffer("places", torch.zeros(50))
        self.numbers = torch.zeros(9, dtype=torch.int64)
        self.waves = [torch.zeros(3), torch.zeros(4)]

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.linear(x).float())


def test_values_are_counted_by_how_they_are_kept() -> None:
    assert count_weights(Block()) == Weights(
        linear=3200, rows=100, columns=32, blocks=50, other=100 + 7 + 50 + 7, kept=200, fixed=72, largest=3200
    )


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("fp32", 4 * (3200 + 164 + 200) + 72),
        ("bf16", 2 * (3200 + 164) + 800 + 72),
        ("mixed", 6 * (3200 + 164) + 800 + 72),
        ("int8", 3200 + 400 + 2 * 164 + 800 + 72),
        ("fp8", 3200 + 400 + 2 * 164 + 800 + 72),
        ("nf4", 1600 + 200 + 2 * 164 + 800 + 72),
    ],
)
def test_each_precision_has_its_bytes(precision: str, expected: int) -> None:
    assert count_weights(Block()).bytes(precision) == expected
    assert estimate_memory(Block(), (32,), precision=precision, mode="inference").weights == expected


def test_half_precision_is_what_such_a_module_holds() -> None:
    block = Block()
    for name, tensor in [*block.named_parameters(), *block.named_buffers()]:
        if not name.startswith("norm"):
            tensor.data = tensor.data.bfloat16()
    held = sum(tensor.nbytes for tensor in [*block.parameters(), *block.buffers(), block.numbers])
    assert count_weights(Block()).bytes("bf16") == held + 2 * 7


def test_shared_values_count_once_and_meta_counts_as_well() -> None:
    for device in ("cpu", "meta"):
        tied = nn.Sequential(*(nn.Linear(6, 6, bias=False, device=device) for _ in range(2)))
        tied[1].weight = tied[0].weight
        assert count_weights(tied) == Weights(36, 6, 6, 1, 0, 0, 0, 36)


def test_optimisers_keep_what_theirs_keep() -> None:
    matrix, vector = torch.zeros(30, 200), torch.zeros(40)
    assert optimizer_bytes("adafactor", [matrix, vector], 4) == 4 * (30 + 200 + 40)
    assert optimizer_bytes("adafactor", [torch.zeros(2, 3, 5, 7)], 4) == 4 * 2 * 3 * (5 + 7)
    assert optimizer_bytes("muon", [matrix, vector], 2) == 2 * (6000 + 80)
    parameters = [nn.Parameter(matrix.clone()), nn.Parameter(vector.clone())]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    real = torch.optim.Adafactor(parameters)
    real.step()
    values = [value for state in real.state.values() for value in state.values() if isinstance(value, Tensor)]
    assert sum(value.nbytes for value in values if value.dim()) == optimizer_bytes("adafactor", parameters, 4)
    with pytest.raises(ValueError, match="optimizer must be one of"):
        optimizer_bytes("lion", parameters, 4)


def test_low_rank_layers_leave_the_output_and_train_alone() -> None:
    network = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    x = torch.randn(3, 10)
    before = network(x)
    add_low_rank(network, 4)
    for part in network:
        if isinstance(part, LowRank):
            nn.init.zeros_(part.up.weight)
    torch.testing.assert_close(network(x), before)
    network(x).sum().backward()
    trained = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
    assert trained == ["0.down.weight", "0.up.weight", "2.down.weight", "2.up.weight"]
    with pytest.raises(ValueError, match="LoRA needs linear layers"):
        add_low_rank(nn.Conv2d(1, 1, 3), 4)


def test_low_rank_training_is_what_a_real_run_saves() -> None:
    network = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    added = 4 * (10 + 20) + 4 * (20 + 5)
    found = estimate_memory(network, (10,), batch_size=3, lora_rank=4)
    real = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    add_low_rank(real, 4)
    owned = {parameter.untyped_storage().data_ptr() for parameter in real.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        real(torch.zeros(3, 10))
    activations = sum(size for place, size in saved.items() if place not in owned)
    assert found == Memory(4 * N + 4 * added, 4 * added, 8 * added, activations, 0)
    small = estimate_memory(network, (10,), batch_size=3, lora_rank=4, precision="nf4", ema=True)
    assert small.weights == count_weights(network).bytes("nf4") + 4 * added
    assert small.optimizer == 12 * added


def test_a_convolution_on_a_gpu_takes_a_copy_of_its_input() -> None:
    network = nn.Sequential(nn.Conv2d(8, 2, 3, padding=1))
    given = {"mode": "inference", "batch_size": 2}
    one, other = (estimate_memory(network, (8, 16, 16), device=device, **given) for device in ("cpu", "cuda"))
    assert one.activations == other.activations == 4 * 2 * (8 + 2) * 256
    assert (one.overhead, other.overhead) == (0, 4 * 2 * 8 * 256)


@pytest.mark.parametrize(("precision", "scratch"), [("bf16", 0), ("int8", 0), ("fp8", 6400), ("nf4", 6400)])
def test_the_largest_quantised_layer_is_wide_while_it_computes(precision: str, scratch: int) -> None:
    found = estimate_memory(Block(), (32,), precision=precision, mode="inference", device="cuda")
    assert found.overhead == scratch
