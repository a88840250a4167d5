import torch

import explorer as ex
from explorer.lessons.sampling_showdown import task


def test_a_model_that_is_told_in_words_is_asked_by_the_numbers_of_its_prompts() -> None:
    model = task._model("emoji", {})
    samples = ex.sample(model, 2, "ddim", 2, condition=torch.tensor([0, 3])).samples
    told = ex.sample(ex.load_pretrained("emoji"), 2, "ddim", 2, condition=["strawberry", "penguin"]).samples
    torch.testing.assert_close(samples, told)
