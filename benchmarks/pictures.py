"""How long do four pictures of a prompt take, guided, from the prompt to the pixels, beside diffusers?"""

import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

import explorer as ex
from benchmarks.tables import table
from explorer.lessons.guided_generation.pictures import text_encoder

PICTURES, STEPS, SCALE, PROMPT = 4, 20, 4.0, "purple cat in noto style"


def milliseconds(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The median and the least of `repeats` calls, after one that warms up."""
    work()
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - began))
    return statistics.median(spent), min(spent)


def like(parameters: int, context: int) -> nn.Module:
    """The `UNet2DConditionModel` of three levels, the lower two with cross-attention, whose number of parameters is
    nearest to `parameters`."""
    from diffusers import UNet2DConditionModel

    def make(width: int) -> nn.Module:
        return UNet2DConditionModel(
            sample_size=32,
            in_channels=3,
            out_channels=3,
            layers_per_block=1,
            block_out_channels=(width, 2 * width, 4 * width),
            norm_num_groups=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=context,
            attention_head_dim=8,
        )

    def away(width: int) -> int:
        with torch.device("meta"):
            return abs(sum(parameter.numel() for parameter in make(width).parameters()) - parameters)

    return make(min(range(16, 65, 8), key=away)).requires_grad_(False).eval()


@torch.no_grad()
def pipeline(network: nn.Module, scheduler: object, prompt: Tensor, nothing: Tensor) -> Tensor:
    """What a pipeline of Stable Diffusion does between its text encoder and its decoder."""
    x = torch.randn(PICTURES, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    told = torch.cat([nothing, prompt]).repeat_interleave(PICTURES, 0)
    scheduler.set_timesteps(STEPS)  # type: ignore[attr-defined]
    for timestep in scheduler.timesteps:  # type: ignore[attr-defined]
        free, asked = network(torch.cat([x, x]), timestep, told).sample.chunk(2)
        x = scheduler.step(free + SCALE * (asked - free), timestep, x).prev_sample  # type: ignore[attr-defined]
    return x


def run(arguments: Namespace) -> Iterator[str]:
    """Ours for both models, and diffusers' pipeline loop with a network of the emoji model's size."""
    repeats = 5 if arguments.quick else 20
    rows: list[list[object]] = []
    for name in ("emoji", "scenes"):
        denoiser = ex.load_pretrained(name)
        options = {"condition": PROMPT, "guidance_scale": SCALE, "keep": "last"}
        median, least = milliseconds(lambda: ex.sample(denoiser, PICTURES, "ddim", STEPS, **options), repeats)  # noqa: B023
        rows.append([name, sum(parameter.numel() for parameter in denoiser.parameters()), median, least])
    emoji = ex.load_pretrained("emoji")
    encoder = text_encoder(emoji)
    try:
        from diffusers import DDIMScheduler

        weights = sum(parameter.numel() for parameter in emoji.parameters())
        width = encoder.words.vectors.shape[1]
        theirs = like(weights - sum(parameter.numel() for parameter in encoder.parameters()), width)
        scheduler = DDIMScheduler()

        def draw() -> Tensor:
            with torch.no_grad():
                prompt, nothing = (encoder(encoder.read(text, 1)).vectors for text in (PROMPT, ""))
            places = prompt.shape[1] - nothing.shape[1]
            return pipeline(theirs, scheduler, prompt, nn.functional.pad(nothing, (0, 0, 0, places)))

        median, least = milliseconds(draw, repeats)
        size = sum(parameter.numel() for parameter in (*theirs.parameters(), *encoder.parameters()))
        rows.append(["diffusers' network and loop, our encoder", size, median, least])
        rows.append(["ratio to emoji", size / float(str(rows[0][1])), *(rows[2][k] / rows[0][k] for k in (2, 3))])  # type: ignore[operator]
    except ImportError as error:
        yield f"Beside diffusers: left out, {error}\n"
    title = (
        f"{PICTURES} pictures, {STEPS} steps of DDIM, guided, text and decoding included, {torch.get_num_threads()} "
        f"thread(s), median of {repeats} (budget 1,500 ms)"
    )
    yield table(title, ["", "weights", "milliseconds", "least"], rows)
