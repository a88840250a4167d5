"""What a system needs, which cards hold it, what a card can do, and what that costs."""

from dataclasses import asdict, dataclass, replace

import torch

from explorer.denoiser import Denoiser
from explorer.hardware.catalogue import GIB, Card, cards
from explorer.hardware.memory import Memory, checkpointed_blocks, estimate_memory
from explorer.hardware.published import HEADROOM
from explorer.hardware.speed import Band, sampling, training_step
from explorer.hardware.systems import Asked, System, peak, training
from explorer.hardware.traces import LORA_RANK, weights
from explorer.hardware.weights import optimizer_bytes
from explorer.networks.prompted import Prompted

LORA_WAYS = (("fits", "bf16"), ("fits with 8-bit weights", "int8"), ("fits with 4-bit weights", "nf4"))
FULL_WAYS = (("fits", "adamw"), ("fits with 8-bit Adam", "adamw-8bit"), ("fits with SGD", "sgd"))
REMEDIES: tuple[tuple[str, dict[str, object]], ...] = (
    ("fits", {}),
    ("fits with the text encoders off after use", {"encoders_off": True}),
    ("fits with model offload", {"offload": True}),
    ("fits with 8-bit weights", {"precision": "int8", "encoder_precision": "int8"}),
    ("fits with 4-bit weights", {"precision": "nf4", "encoder_precision": "nf4"}),
    ("fits with 4-bit weights and offload", {"precision": "nf4", "encoder_precision": "nf4", "offload": True}),
    (
        "fits with 4-bit weights, offload and tiles",
        {"precision": "nf4", "encoder_precision": "nf4", "offload": True, "tiling": True},
    ),
)


@dataclass(frozen=True)
class Verdict:
    """Whether the bytes that are needed at the most, in `phase`, are held by a card, and how."""

    how: str
    held: float
    needed: float
    phase: str

    @property
    def spare(self) -> float:
        """Bytes left over; negative where they are missing."""
        return self.held - self.needed

    @property
    def fits(self) -> bool:
        return self.spare >= 0

    @property
    def safe(self) -> bool:
        """Whether it fits with what should be planned for beyond the estimate."""
        return self.held >= HEADROOM * self.needed

    @property
    def reason(self) -> str:
        """In words: "fits with 8-bit weights, 3.1 GiB to spare", "short by 2.0 GiB in decoding"."""
        if self.fits:
            return f"{'' if self.safe else 'just '}{self.how}, {self.spare / GIB:.1f} GiB to spare"
        return f"short by {-self.spare / GIB:.1f} GiB in {self.phase}"


def known_cards() -> dict[str, Card]:
    """The cards whose memory is known, by name."""
    return {card.name: card for card in cards() if card.usable}


def held(card: Card) -> int:
    """Bytes that a model may take on one of its devices; 0 where the memory is not known."""
    return card.usable or 0


def fit(system: System, asked: Asked, card: Card, task: str = "make") -> Verdict:
    """Whether a task, "make", "lora" or "full", fits exactly as it is asked for; offload gains nothing where GPU and
    CPU share their memory."""
    if task != "make":
        return Verdict("fits", held(card), sum(training_memory(system, asked, task).values()), "training")
    fullest = peak(system, replace(asked, offload=asked.offload and not card.unified))
    return Verdict("fits", held(card), fullest.total, fullest.name)


def making(system: System, asked: Asked, card: Card) -> Verdict:
    """How it fits with the first of `REMEDIES` that lets it, or what is missing after all of them."""
    found = Verdict("", 0, 0, "")
    for how, change in REMEDIES:
        found = replace(fit(system, replace(asked, **change), card), how=how)  # type: ignore[arg-type]
        if found.fits:
            return found
    return found


def training_memory(
    system: System, asked: Asked, method: str, optimizer: str = "adamw", checkpointing: bool = True
) -> dict[str, float]:
    """Bytes of training the denoiser in bf16, by part, latents and texts computed before: "full" trains all weights,
    "lora" matrices of rank 16 beside linear layers whose weights stay in the precision that is asked for."""
    counted = weights(f"denoiser.{system.denoiser}")
    values = counted.linear + counted.other + counted.kept
    if method == "lora":
        adapters = LORA_RANK * (counted.rows + counted.columns)
        kept, trained, size = counted.bytes(asked.precision) + 4 * adapters, adapters, 4
    else:
        kept, trained, size = counted.bytes("bf16"), values, 2
    return {
        "weights": kept,
        "gradients": size * trained,
        "optimizer": optimizer_bytes(optimizer, [torch.empty(trained, device="meta")], size),
        "activations": training(system, asked, method, checkpointing),
    }


def fine_tuning(system: System, asked: Asked, card: Card, method: str) -> Verdict:
    """Whether one sample at a time can be trained on, with the first remedy that lets it."""
    found = Verdict("", 0, 0, "")
    for how, way in LORA_WAYS if method == "lora" else FULL_WAYS:
        precision, optimizer = (way, "adamw") if method == "lora" else ("bf16", way)
        needed = sum(training_memory(system, replace(asked, precision=precision, batch=1), method, optimizer).values())
        found = Verdict(how, held(card), needed, "training")
        if found.fits:
            return found
    return found


def of_one_sample(denoiser: Denoiser, **options: str | bool) -> Memory:
    """What a model of this course keeps for one sample; `options` are those of `estimate_memory`."""
    if isinstance(denoiser.network, Prompted):
        denoiser = Denoiser(denoiser.network.network, denoiser.schedule, denoiser.prediction, denoiser.shape)
    return estimate_memory(denoiser, batch_size=1, **options)  # type: ignore[arg-type]


def has_blocks(denoiser: Denoiser) -> bool:
    """Whether gradient checkpointing has something to run twice."""
    try:
        return bool(checkpointed_blocks(denoiser.network))
    except ValueError:
        return False


def of_batch(one: Memory, batch: int) -> dict[str, float]:
    """Bytes by part for a batch: activations of our networks grow in proportion to it, nothing else does."""
    return {**asdict(one), "activations": batch * one.activations}


def cheapest(system: System, asked: Asked, task: str = "make") -> Card | None:
    """The card with the lowest launch price that holds it safely, of those whose price is known."""
    priced = [(card.launch_price, card) for card in known_cards().values() if card.launch_price is not None]
    fitting = [(price, card) for price, card in priced if fit(system, asked, card, task).safe]
    return min(fitting, key=lambda one: one[0])[1] if fitting else None


def time_on(system: System, asked: Asked, card: Card, steps: int) -> Band | None:
    """Seconds of sampling on a card, None where its rate is not known or it cannot compute so."""
    rate = card.rate(asked.precision)
    if rate is None or card.bandwidth is None:
        return None
    return sampling(system, asked, steps, rate, card.bandwidth / card.devices)


def training_time_on(system: System, asked: Asked, card: Card, checkpointing: bool = True) -> Band | None:
    """Seconds of a step of training, None where the card's rate is not known."""
    rate = card.rate("bf16") or card.rate("fp16")
    return None if rate is None else training_step(system, asked, checkpointing, rate)


@dataclass(frozen=True)
class Owning:
    """What a machine of one's own costs: its `price`, and its `power` in watts while it works."""

    price: float
    power: float

    def after(self, months: int, hours_a_month: float, price_a_kwh: float) -> float:
        """Money spent after so many months of so many hours of work."""
        return self.price + months * self.electricity(hours_a_month, price_a_kwh)

    def electricity(self, hours: float, price_a_kwh: float) -> float:
        return hours * self.power / 1000 * price_a_kwh


def months_to_buy(owning: Owning, rent_an_hour: float, hours_a_month: float, price_a_kwh: float) -> float | None:
    """After how many months buying is cheaper than renting; None where it never is."""
    saved = hours_a_month * rent_an_hour - owning.electricity(hours_a_month, price_a_kwh)
    return owning.price / saved if saved > 0 else None
