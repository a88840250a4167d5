"""What Start does, as code for a notebook, which trains more shortly."""

from explorer.lessons.trainings.plan import OWN, Plan

QUICK = 2  # epochs or seconds


def snippet(plan: Plan, shape: tuple[int, ...]) -> str:
    """Code that does what Start does, for images of `shape`, but for `QUICK` epochs or seconds."""
    take = f"\ntraining = first_of_each_class(training, {plan.take})" if plan.take else ""
    if plan.epochs:
        until = (
            f"epochs = {min(plan.epochs, QUICK)}  # Start trains {plan.epochs}\n"
            f"steps = -(-epochs * len(training) // {plan.batch_size})\n"
        )
    else:
        until = f"seconds = {min(plan.seconds or QUICK, QUICK)}  # Start trains {plan.seconds}\n"
    limit = "steps=steps" if plan.epochs else "max_seconds=seconds"
    data = f"load_dataset({plan.dataset!r})" if plan.dataset != OWN else 'from_zip(open("images.zip", "rb").read())'
    module = (
        "explorer.data.images import load_dataset"
        if plan.dataset != OWN
        else "explorer.data.own_images import from_zip"
    )
    extra = "from explorer.lessons.trainings.plan import first_of_each_class\n" if plan.take else ""
    size = ", ".join(f"{name}={value!r}" for name, value in plan.size(shape).items())
    return (
        f"import torch\n\nimport explorer as ex\nfrom {module}\n{extra}\n"
        f"data = {data}\ntraining, held_out = data.split()  # image i is held out when i % 5 == 4{take}\n\n"
        f"denoiser = ex.make_image_denoiser(\n    data.shape, classes=len(data.classes) or None, "
        f"schedule={plan.schedule!r}, prediction={plan.prediction!r},\n    {size},\n)\n\n{until}"
        f"config = ex.TrainConfig(\n    {limit}, batch_size={plan.batch_size}, learning_rate={plan.learning_rate:g}, "
        f"ema_decay={plan.ema_decay:g}{'' if plan.decay else ', decay=False'}\n)\n"
        "\nfor event in ex.train(denoiser, training, config):\n"
        '    if event.step % 100 == 0:\n        print(f"{event.step} {event.loss:.3f}")\n'
        "\nclasses = torch.arange(20) % len(data.classes) if data.classes else None\n"
        'samples = ex.sample(denoiser, 20, "dpmpp_2m", 10, condition=classes, guidance_scale=1.5).samples'
    )
