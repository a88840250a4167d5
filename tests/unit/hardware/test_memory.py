"""What is counted on shapes alone is what hooks count in a real run on this CPU, to the byte."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import explorer as ex
from explorer.hardware import timing
from explorer.hardware.memory import Memory, checkpointed_blocks, estimate_memory
from explorer.networks.structure import structure
from explorer.networks.unet import make_image_denoiser


def real_inputs(denoiser: ex.Denoiser, n: int) -> tuple[Tensor, ...]:
    size: dict[str, Any] = denoiser.network.size  # type: ignore[assignment]
    x, log_snr = torch.zeros(n, *denoiser.shape), torch.zeros(n)
    if size.get("context"):
        return x, log_snr, torch.zeros(n, 7, size["context"])
    if size.get("text"):
        return x, log_snr, denoiser.network.read_condition(["red blue red blue red"] * n, n)  # type: ignore[operator]
    return (x, log_snr, torch.zeros(n, dtype=torch.long)) if size.get("classes") else (x, log_snr)


def saved_in_a_real_run(network: nn.Module, inputs: Sequence[Any], known: Sequence[Any] = ()) -> int:
    """By address: what autograd saves, less what the network owns and what is known."""
    owned = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers(), *known)}
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(*inputs)
    return sum(storage.nbytes() for address, storage in saved.items() if address not in owned)


class Alive(TorchDispatchMode):
    """By address: bytes of storages alive now and at most, less what is `owned`."""

    def __init__(self, owned: Sequence[Tensor]):
        super().__init__()
        self.seen = {tensor.untyped_storage().data_ptr(): 0 for tensor in owned}
        self.peak = 0

    def add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.seen:
            self.seen[storage.data_ptr()] = storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.seen.pop, storage.data_ptr(), None)

    @property
    def now(self) -> int:
        return sum(self.seen.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.add(tensor)
        return out


@contextmanager
def alive(network: nn.Module, inputs: Sequence[Any]) -> Iterator[Alive]:
    with Alive([*network.parameters(), *network.buffers()]) as found:
        for tensor in inputs:
            if isinstance(tensor, Tensor):
                found.add(tensor)
        yield found


DENOISERS = {
    "mlp": lambda: ex.make_denoiser_2d(0),
    "unet": lambda: make_image_denoiser((1, 8, 8), classes=10, widths=(16, 32)),
    "deep": lambda: make_image_denoiser((3, 28, 28), widths=(8, 16, 24), depth=2, attention=True),
    "attention": lambda: make_image_denoiser((1, 28, 28), classes=10, widths=(16, 32), attention=True),
    "cross-attention": lambda: make_image_denoiser((1, 28, 28), widths=(16, 32), patch=4, context=16),
    "both": lambda: make_image_denoiser((1, 12, 12), widths=(8, 16), attention=True, context=16),
    "texts": lambda: make_image_denoiser(
        (3, 12, 12), widths=(8, 16), text={"words": ["red", "blue"], "width": 8, "layers": 1, "length": 6}, looks=(1, 2)
    ),
}


@pytest.mark.parametrize("n", [1, 5, 33])
@pytest.mark.parametrize("name", DENOISERS)
def test_activations_are_those_of_a_real_run(name: str, n: int) -> None:
    denoiser = DENOISERS[name]()
    inputs = real_inputs(denoiser, n)
    given = {"example_inputs": inputs} if "cross" in name or name == "both" else {"batch_size": n}
    assert estimate_memory(denoiser, **given).activations == saved_in_a_real_run(denoiser.network, inputs)
    with torch.no_grad(), alive(denoiser.network, inputs) as found:
        denoiser.network(*inputs)
    assert estimate_memory(denoiser, mode="inference", **given).activations == found.peak


@pytest.mark.parametrize("n", [1, 6])
def test_in_half_precision_too(n: int) -> None:
    denoiser = DENOISERS["attention"]()
    half = denoiser.network.to(torch.bfloat16)
    inputs = [x.to(torch.bfloat16) if x.is_floating_point() else x for x in real_inputs(denoiser, n)]
    found = estimate_memory(DENOISERS["attention"](), batch_size=n, precision="bf16")
    assert found.activations == saved_in_a_real_run(half, inputs)
    assert found.weights == sum(2 * tensor.numel() for tensor in (*half.parameters(), *half.buffers()))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("n", [1, 3])
def test_a_network_of_another_library(n: int, layout: torch.memory_format) -> None:
    diffusers = pytest.importorskip("diffusers")
    network = diffusers.UNet2DModel(
        sample_size=16,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
    ).to(memory_format=layout)
    inputs = torch.zeros(n, 3, 16, 16), torch.zeros(n, dtype=torch.long)
    assert estimate_memory(network, example_inputs=inputs).activations == saved_in_a_real_run(network, inputs)
    named = {"sample": inputs[0], "timestep": inputs[1]}
    assert estimate_memory(network, example_inputs=named) == estimate_memory(network, example_inputs=inputs)


def test_stable_diffusion_is_counted_and_not_allocated() -> None:
    diffusers = pytest.importorskip("diffusers")
    with torch.device("meta"):
        network = diffusers.UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280)
        )
    inputs = torch.zeros(1, 4, 64, 64), torch.zeros(1, dtype=torch.long), torch.zeros(1, 77, 768)
    flash, plain = (estimate_memory(network, example_inputs=inputs, attention=name) for name in ("flash", "math"))
    assert flash.weights == flash.gradients == flash.optimizer // 2 == 4 * 859_520_964
    matrices = sum(blocks * 8 * places * (places + 77) for blocks, places in [(5, 4096), (5, 1024), (5, 256), (1, 64)])
    assert plain.activations - flash.activations == pytest.approx(4 * matrices, rel=0.01)  # 8 heads, 77 words
    assert all(parameter.is_meta for parameter in network.parameters())


@pytest.mark.parametrize("name", ["attention", "cross-attention"])
def test_plain_attention_is_counted_as_this_cpu_runs_it(name: str) -> None:
    denoiser = DENOISERS[name]()
    inputs = real_inputs(denoiser, 4)
    with sdpa_kernel(SDPBackend.MATH):
        expected = saved_in_a_real_run(denoiser.network, inputs)
    plain, flash, efficient = (
        estimate_memory(denoiser, example_inputs=inputs, attention=kernel).activations
        for kernel in ("math", "flash", "efficient")
    )
    assert plain == expected
    assert flash <= efficient < plain


class Attends(nn.Module):
    def __init__(self, **options: Any):
        super().__init__()
        self.project, self.options = nn.Linear(8, 24), options

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, value = self.project(x).unflatten(-1, (3, 8)).movedim(-2, 0)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, **self.options)


MASKS = [None, torch.ones(5, 5, dtype=torch.bool), torch.zeros(5, 5)]


@pytest.mark.parametrize(
    ("options", "mask"),
    [({"is_causal": True}, None), *product([{}, {"scale": 0.5}, {"dropout_p": 0.5}], MASKS)],
    ids=str,
)
@pytest.mark.parametrize("shape", [(2, 4, 5, 8), (2, 5, 8)], ids=str)
def test_attention_as_it_may_be_called(shape: tuple[int, ...], options: dict[str, Any], mask: Tensor | None) -> None:
    network, inputs = Attends(**options), (torch.zeros(shape), mask)
    assert estimate_memory(network, example_inputs=inputs).activations == saved_in_a_real_run(network, inputs)


def test_checkpointed_blocks_keep_their_inputs_and_the_hungriest_is_run_again() -> None:
    denoiser, n = make_image_denoiser((1, 8, 8), widths=(8, 16), attention=True), 3
    network, inputs = denoiser.network, real_inputs(denoiser, n)
    blocks = checkpointed_blocks(network)
    assert [type(block).__name__ for block in blocks] == ["ResidualBlock"] * 6
    within = []
    hooks = [block.register_forward_pre_hook(lambda block, given: within.append((block, given))) for block in blocks]
    network(*inputs)
    for hook in hooks:
        hook.remove()
    hungriest = max(saved_in_a_real_run(block, given, known=given) for block, given in within)
    within.clear()
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)  # type: ignore[method-assign]
    with alive(network, inputs) as found:
        out = network(*inputs)
        kept = found.now - sum(tensor.nbytes for tensor in (out, *inputs))  # alive, but autograd saves none of them
    untouched = make_image_denoiser((1, 8, 8), widths=(8, 16), attention=True)
    estimate = estimate_memory(untouched, batch_size=n, gradient_checkpointing=True)
    assert estimate.activations == kept + hungriest
    assert estimate.activations < estimate_memory(untouched, batch_size=n).activations


def test_what_the_optimiser_keeps() -> None:
    denoiser = ex.make_denoiser_2d(0)
    parameters = list(denoiser.parameters())
    n = sum(parameter.numel() for parameter in parameters)
    kept = {}
    for name, make in {
        "sgd": lambda: torch.optim.SGD(parameters, lr=0.1),
        "sgd-momentum": lambda: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam(parameters),
        "adamw": lambda: torch.optim.AdamW(parameters),
    }.items():
        optimizer = make()
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        values = [value for state in optimizer.state.values() for value in state.values()]
        kept[name] = sum(value.nbytes for value in values if isinstance(value, Tensor) and value.dim())
        assert estimate_memory(denoiser, optimizer=name).optimizer == kept[name]
    *_, event = ex.train(denoiser, torch.zeros(8, 2), ex.TrainConfig(steps=1, batch_size=4))
    state = event.state()
    ours = state.averaged.nbytes + state.first_moment.nbytes + state.second_moment.nbytes
    assert estimate_memory(denoiser, optimizer="adam-ema").optimizer == ours == 12 * n
    assert estimate_memory(nn.Linear(100, 100), (100,), optimizer="adamw-8bit").optimizer == 2 * 10_000 + 8 * 40 + 800


def test_precision_and_mode() -> None:
    network = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    n = 10 * 20 + 20 + 20 * 5 + 5
    full, half, mixed = (estimate_memory(network, (10,), batch_size=3, precision=p) for p in ("fp32", "fp16", "mixed"))
    assert full == Memory(weights=4 * n, gradients=4 * n, optimizer=8 * n, activations=4 * (30 + 60), overhead=0)
    assert full.total == 16 * n + 360
    assert half == Memory(weights=2 * n, gradients=2 * n, optimizer=4 * n, activations=2 * (30 + 60), overhead=0)
    assert mixed == Memory(weights=6 * n, gradients=4 * n, optimizer=8 * n, activations=2 * (30 + 60), overhead=0)
    running = estimate_memory(network, (10,), batch_size=3, mode="inference")
    assert running == Memory(weights=4 * n, gradients=0, optimizer=0, activations=4 * (30 + 60 + 60), overhead=0)


def test_only_trainable_weights_have_gradients_unless_all_are_frozen() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[0].requires_grad_(False)
    half_frozen = estimate_memory(network, (4,))
    assert (half_frozen.weights, half_frozen.gradients, half_frozen.optimizer) == (160, 80, 160)
    inputs = (torch.zeros(1, 4),)
    assert half_frozen.activations == saved_in_a_real_run(network, inputs)
    whole = estimate_memory(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), (4,))
    assert estimate_memory(network.requires_grad_(False), (4,)) == whole


def test_weights_that_are_shared_or_lie_in_one_vector_count_once() -> None:
    tied = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False))
    tied[1].weight = tied[0].weight
    assert estimate_memory(tied, (6,)).weights == 4 * 36
    trained, fresh = ex.make_denoiser_2d(0), ex.make_denoiser_2d(0)
    for _ in ex.train(trained, torch.zeros(8, 2), ex.TrainConfig(steps=1, batch_size=4)):
        pass
    assert estimate_memory(trained) == estimate_memory(fresh)


def test_the_model_is_only_read_while_others_use_it() -> None:
    denoiser = make_image_denoiser((1, 8, 8), widths=(8, 16), attention=True).eval().requires_grad_(False)
    inputs = real_inputs(denoiser, 2)
    before = {name: (tensor.data_ptr(), tensor._version) for name, tensor in denoiser.state_dict().items()}
    expected = denoiser.network(*inputs)
    wrong: list[str] = []
    counted = estimate_memory(denoiser)

    def use() -> None:
        wrong.extend("output" for _ in range(30) if not torch.equal(denoiser.network(*inputs), expected))

    def estimate() -> None:
        wrong.extend("estimate" for _ in range(3) if estimate_memory(denoiser) != counted)

    threads = [threading.Thread(target=target) for target in (use, estimate, estimate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {name: (t.data_ptr(), t._version) for name, t in denoiser.state_dict().items()} == before
    assert not any(module.training for module in denoiser.modules())
    assert not any(parameter.requires_grad for parameter in denoiser.parameters())


def test_it_counts_the_same_without_gradients_around_it() -> None:
    denoiser = ex.make_denoiser_2d(0)
    expected = estimate_memory(denoiser)
    with torch.no_grad():
        assert estimate_memory(denoiser) == expected
    with torch.inference_mode():
        assert estimate_memory(denoiser) == expected


def test_more_of_everything_takes_more() -> None:
    one, two = (estimate_memory(DENOISERS["unet"](), batch_size=n) for n in (4, 8))
    assert two.activations == 2 * one.activations
    assert (two.weights, two.optimizer) == (one.weights, one.optimizer)


def count_work_anew(denoiser: ex.Denoiser) -> None:
    timing._counted.clear()
    timing.count_work(denoiser, 3)


@pytest.mark.parametrize(
    "measure",
    [
        estimate_memory,
        partial(estimate_memory, mode="inference"),
        partial(estimate_memory, attention="math", precision="mixed"),
        partial(estimate_memory, attention="efficient"),
        partial(estimate_memory, gradient_checkpointing=True),
        count_work_anew,
        lambda denoiser: structure(denoiser.network, denoiser.shape),
    ],
    ids=["train", "inference", "math", "efficient", "checkpointing", "work", "structure"],
)
def test_nothing_of_a_call_stays_alive(measure: Callable[[ex.Denoiser], object]) -> None:
    """Attention saves its own result for the backward pass: a hook that kept it alive would keep the whole graph."""
    denoiser = make_image_denoiser((1, 4, 4), classes=2, widths=(8,), attention=True)

    def alive() -> list[int]:
        kinds = [type(found) for found in gc.get_objects()]
        return [len(kinds), sum(issubclass(kind, Tensor | torch.UntypedStorage) for kind in kinds)]

    for _ in range(3):  # what is made once is made by then
        measure(denoiser)
    gc.collect()
    objects, tensors = alive()
    gc.disable()
    try:
        measure(denoiser)
        assert alive()[1] == tensors, "tensors are freed at once, not when garbage is collected"
    finally:
        gc.enable()
    for _ in range(5):
        measure(denoiser)
    gc.collect()
    assert alive()[0] < objects + 5, "less than one object a call"


class Energy(nn.Module):
    """Asks for a gradient within its own forward pass, as networks of energies do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_(True)
        return torch.autograd.grad(torch.sigmoid(self.layer(x)).exp().sum(), x, create_graph=True)[0]


def test_a_network_that_differentiates_within() -> None:
    network, inputs = Energy(), (torch.zeros(3, 4),)
    assert estimate_memory(network, (4,), batch_size=3).activations == saved_in_a_real_run(network, inputs)


class Looks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum().item() > 0 else -x


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mode": "sleep"}, "mode must be one of train, inference, not 'sleep'"),
        ({"optimizer": "lion"}, "optimizer must be one of .*adamw.*, not 'lion'"),
        ({"precision": "int2"}, "precision must be one of fp32, bf16, fp16, mixed, fp8, int8, nf4, not 'int2'"),
        ({"precision": "nf4"}, "weights in nf4 are not trained themselves: give a lora_rank"),
        ({"lora_rank": 0}, "lora_rank must be at least 1, not 0"),
        ({"device": "tpu"}, "device must be one of cpu, cuda, not 'tpu'"),
        ({"attention": "sage"}, "attention must be one of flash, efficient, math, not 'sage'"),
        ({"batch_size": 0}, "batch_size and every axis of input_shape must be at least 1"),
        ({"input_shape": (4, -4)}, "batch_size and every axis of input_shape must be at least 1"),
        ({"input_shape": None}, "say what goes in"),
        ({"input_shape": (5,)}, "could not be run on these inputs"),
        ({"example_inputs": (torch.zeros(2, 4), 3)}, "could not be run on these inputs"),
        ({"gradient_checkpointing": True}, "needs blocks in a ModuleList"),
        ({"gradient_checkpointing": True, "mode": "inference"}, "is about training"),
        ({"model": Looks()}, "depends on the values of its data.*x.sum.*item"),
    ],
)
def test_bad_arguments_are_sentences(options: dict[str, Any], sentence: str) -> None:
    given: dict[str, Any] = {"model": nn.Linear(4, 4), "input_shape": (4,), **options}
    with pytest.raises(ValueError, match=sentence):
        estimate_memory(**given)


class Asks(nn.Module):
    """Passes what a linear layer gives through a function."""

    def __init__(self, function: Callable[[Tensor], Any]):
        super().__init__()
        self.layer, self.function = nn.Linear(4, 4), function

    def forward(self, x: Tensor) -> Any:
        return self.function(self.layer(x))


def grows_where_positive(y: Tensor) -> Tensor:
    return y if y.sum() > 0 else torch.cat([y, y])


def takes_the_positive(y: Tensor) -> Tensor:
    return y[y > 0]


def counts_what_differs(y: Tensor) -> Tensor:
    return torch.unique(y)


def leaves_torch(y: Tensor) -> Tensor:
    return torch.from_numpy(y.detach().numpy())


def lists(y: Tensor) -> list[float]:
    return y.tolist()


def repeats(y: Tensor) -> Tensor:
    return torch.repeat_interleave(y, (y[:, 0] > 0).long(), dim=0)


@pytest.mark.parametrize("mode", ["train", "inference"])
@pytest.mark.parametrize(
    ("function", "line"),
    [
        (grows_where_positive, "if y.sum() > 0"),
        (takes_the_positive, "y[y > 0]"),
        (counts_what_differs, "torch.unique(y)"),
        (leaves_torch, "numpy()"),
        (lists, "y.tolist()"),
        (repeats, "torch.repeat_interleave(y"),
    ],
)
def test_a_forward_pass_that_depends_on_its_data_is_shown_the_line(
    function: Callable[[Tensor], Any], line: str, mode: str
) -> None:
    with pytest.raises(ValueError, match="depends on the values of its data") as caught:
        ex.estimate_memory(Asks(function), (4,), mode=mode, batch_size=3)
    assert line in str(caught.value)
    assert "test_memory.py" in str(caught.value)


@pytest.mark.parametrize("mode", ["train", "inference"])
def test_tensors_that_a_forward_pass_makes_for_itself_are_on_its_device(mode: str) -> None:
    made = Asks(lambda y: y + torch.arange(4.0))
    held = Asks(lambda y: y + y)
    assert ex.estimate_memory(made, (4,), mode=mode).total >= ex.estimate_memory(held, (4,), mode=mode).total
