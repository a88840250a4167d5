"""The tasks that a worker can run: a name, and where its function is.

A server reads this table without importing torch; the worker imports a task when it starts.
"""

TASKS = {
    "train_2d": "explorer.lessons.geometry_lab.task:train_2d",
    "train_images": "explorer.lessons.training_lab:train_images",
    "measure_quality": "explorer.lessons.sampling_showdown.task:measure_quality",
    "distil_2d": "explorer.lessons.conclusion_ethics.few_steps:distil_2d",
    "trace_system": "explorer.lessons.build_your_rig.task:trace_system",
    "download": "explorer.lessons.download:download",
}
