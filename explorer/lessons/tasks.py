"""The tasks that a worker can run: a name, and where its function is.

A server reads this table without importing torch; the worker imports a task when it starts.
"""

HERE = ("download", "time_steps_here")  # on the server's own machine, also where a cluster does the rest
ON_GPU = ("train_images", "time_steps")  # tasks that run on a GPU where they are given one

TASKS = {
    "train_2d": "explorer.lessons.geometry_lab.task:train_2d",
    "train_images": "explorer.lessons.training_lab:train_images",
    "measure_quality": "explorer.lessons.sampling_showdown.task:measure_quality",
    "distil_2d": "explorer.lessons.conclusion_ethics.few_steps:distil_2d",
    "trace_system": "explorer.lessons.build_your_rig.task:trace_system",
    "time_steps": "explorer.lessons.trainings.pace:time_steps",
    "time_steps_here": "explorer.lessons.trainings.pace:time_steps",
    "download": "explorer.lessons.download:download",
}
