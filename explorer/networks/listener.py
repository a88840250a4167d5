"""A judge of speech that the model never meets in training: which sounds it hears, and whose voice it takes it for."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.audio.features import ROWS
from explorer.data.speech.phones import NUMBERS, PHONES, SILENCE
from explorer.networks.blocks import GroupNorm
from explorer.networks.vocoder import ConvNeXt

LEAST = 2  # frames that a sound must last to be heard
PLAIN = tuple(dict.fromkeys(phone.rstrip("012") for phone in PHONES))  # without stress
SAME = [[NUMBERS[phone] for phone in PHONES if phone.rstrip("012") == plain] for plain in PLAIN]


class Listener(nn.Module):
    """Features of speech, (n, 66, frames), as how likely each phone is in each frame, logarithms (n, phones + 1,
    frames), and as vectors of their voices, (n, voice), of unit length."""

    def __init__(self, width: int = 160, hidden: int = 320, depth: int = 6, voice: int = 128):
        super().__init__()
        self.size = {"width": width, "hidden": hidden, "depth": depth, "voice": voice}
        self.stem = nn.Conv1d(ROWS, width, 5, padding=2)
        self.blocks = nn.ModuleList(ConvNeXt(width, hidden) for _ in range(depth))
        self.norm = GroupNorm(1, width)
        self.phones = nn.Conv1d(width, len(PHONES) + 1, 1)
        self.voice = nn.Linear(2 * width, voice)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x, early = self.stem(features), None
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k == len(self.blocks) // 2 - 1:
                early = x  # what is said is clear to the end, whose voice it is on the way
        assert early is not None
        vector = self.voice(torch.cat([early.mean(2), early.std(2)], 1))
        return self.phones(functional.gelu(self.norm(x))).log_softmax(1), functional.normalize(vector, dim=1)

    @torch.no_grad()
    def heard(self, features: Tensor) -> list[list[str]]:
        """The phones that it hears in each of n, without stress and silence, each as long as it lasts."""
        numbers = self(features)[0].argmax(1)
        return [_runs(row.tolist()) for row in numbers]

    @torch.no_grad()
    def hears(self, features: Tensor, phones: Sequence[str], ends: Sequence[int]) -> list[bool]:
        """Whether each of these phones is what it hears most in its own frames of features (66, frames), up to `ends`,
        whatever the stress; silences are always heard."""
        heard = self(features[None])[0][0]
        likely = torch.stack([heard[numbers].logsumexp(0) for numbers in SAME])
        found, start = [], 0
        for phone, end in zip(phones, ends, strict=True):
            span = likely[:, start : max(end, start + 1)].mean(1)
            found.append(phone == SILENCE or PLAIN[int(span.argmax())] == phone.rstrip("012"))
            start = min(end, likely.shape[1] - 1)
        return found

    @torch.no_grad()
    def voices(self, features: Tensor) -> Tensor:
        """(n, voice), of unit length: the product of two is how alike they are, 1 for the same."""
        return self(features)[1]


def _runs(numbers: list[int]) -> list[str]:
    """What lasts long enough, once each time."""
    found: list[str] = []
    start = 0
    for k in range(1, len(numbers) + 1):
        if k == len(numbers) or numbers[k] != numbers[start]:
            number = numbers[start]
            if k - start >= LEAST and number not in (0, NUMBERS[SILENCE]):
                found.append(PHONES[number - 1].rstrip("012"))
            start = k
    return [phone for k, phone in enumerate(found) if k == 0 or phone != found[k - 1]]
