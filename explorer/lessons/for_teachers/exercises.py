"""Exercises for a seminar, two for each page, with answers that the page shows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exercise:
    """What to do on a page, and what comes out."""

    page: str
    task: str
    answer: str


EXERCISES = (
    Exercise(
        "core_concepts",
        "Find for each of the four schedules the time at which signal and noise are equally strong. Why does this time "
        "not say which schedule is best?",
        "It is where the log-SNR is 0: the curve under the film shows it. A network can be told any noise level, so "
        "schedules differ in how much of training and of sampling goes to which level, not in what can be learned.",
    ),
    Exercise(
        "core_concepts",
        "Walk back with the exact denoiser and with the network, from the same noise. Compare what each ends in with "
        "the nearest real scan.",
        "The exact denoiser can only recall: it ends in a scan. The network ends in a digit that is near to some scans "
        "and is none of them: it generalises because it is not exact.",
    ),
    Exercise(
        "geometry_lab",
        "Train on the checkerboard for 1, 3 and 10 seconds. Plot the distance against the seconds. Where does it stop "
        "falling, and what is the floor?",
        "The page shows the range that a perfect model gets with as many points. Within 1.5 times of its upper end is "
        "reached in about three seconds; more training comes nearer and cannot pass it.",
    ),
    Exercise(
        "geometry_lab",
        "Give one side DDIM with 4 steps and the other Heun with 4. How many network calls does each make, and who is "
        "nearer to the data at the same number of calls?",
        "Heun makes two calls a step but for the last. Compare it with DDIM at 7 steps, which costs as much.",
    ),
    Exercise(
        "unet",
        "Cut the upper skip connection, then the lower one. Which loss shows more at low noise, and why?",
        "The upper one carries the finest detail, which at low noise is nearly the whole answer; the page measures the "
        "error at each noise level.",
    ),
    Exercise(
        "training_lab",
        "Train with and without averaged weights (EMA) and compare the held-out losses of both, early and late.",
        "Averaged weights lag behind in the first steps. In the recorded runs on the page their held-out loss is the "
        "lower one from the third epoch on.",
    ),
    Exercise(
        "sampling_showdown",
        "Find the fewest steps at which DPM-Solver++ has a lower Fréchet distance than DDPM at 50.",
        "Measure it with the quality chart: put network calls on the axis. The answer depends on the model, and the "
        "page computes it for yours.",
    ),
    Exercise(
        "guided_generation",
        "Draw one prompt at guidance 1, 2, 4 and 8 and say what is gained and what is lost.",
        "The prompt is followed more closely, and pictures of different seeds become more alike; at the high end "
        "colours saturate. The sweep on the page measures all three.",
    ),
    Exercise(
        "voice_cloning",
        "Take a known voice and one that was kept out, and read how near each clone comes. What does the word cloning "
        "promise that selecting does not?",
        "That a voice nobody trained on is hit. The table of cases on the page has the shares for both, and for "
        "people.",
    ),
    Exercise(
        "build_your_rig",
        "Find the cheapest card that holds FLUX at 1024 x 1024 and name the switch that makes it possible.",
        "The table of cards sorts by price; under each card stands what had to be switched. The estimates have errors, "
        "which the page counts against published peaks.",
    ),
    Exercise(
        "conclusion_ethics",
        "How many samples does it take until half of the 20 training images have come back? And of the 200?",
        "The chart under *How many tries?* has both.",
    ),
    Exercise(
        "conclusion_ethics",
        "Predict the share of blue circles at guidance 2 for the set with 70 %, then measure it with a few dozen "
        "pictures and state its interval.",
        "0.7² / (0.7² + 0.3²) = 84 %. With 48 pictures the interval is about ± 10 %, so one measurement cannot "
        "tell 84 from 90.",
    ),
)
