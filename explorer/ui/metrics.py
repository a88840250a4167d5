"""Figures of this server for Prometheus, on a port of their own; where none is set, nothing is imported for them."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from streamlit import runtime
from streamlit.runtime.stats import CounterStat, GaugeStat

from explorer.ui import spent, tabs, work

if TYPE_CHECKING:
    from prometheus_client import Metric

RERUN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
JOB_BUCKETS = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
# modules that run as processes of their own
WORK = {"explorer.jobs.worker": "worker", "explorer.jobs.gateway": "gateway", "explorer.charts.slides": "slides"}


def begin(host: str, port: int) -> None:
    """Count from now on, and answer there.

    Raises OSError where it cannot listen there, and ImportError without the extra `metrics`.
    """
    from prometheus_client import REGISTRY, Counter, Histogram, start_http_server

    reruns = Histogram(
        "explorer_rerun_seconds", "Of a page, or of a part of it alone.", ["page", "part"], buckets=RERUN_BUCKETS
    )
    cpu = Counter("explorer_rerun_cpu_seconds", "CPU time of reruns.", ["page"])
    errors = Counter("explorer_page_errors", "Reruns that ended in an error, by its class.", ["error"])
    jobs = Histogram("explorer_job_seconds", "Of jobs that have ended.", ["task", "state"], buckets=JOB_BUCKETS)

    def count_run(run: spent.Run) -> None:
        reruns.labels(run.page, run.part).observe(run.seconds)
        cpu.labels(run.page).inc(run.cpu_seconds)

    spent.WATCHERS.append(count_run)
    work.WATCHERS.append(lambda job: jobs.labels(job.task, job.state).observe(job.seconds))
    tabs.ERROR_WATCHERS.append(lambda error: errors.labels(type(error).__name__).inc())
    REGISTRY.register(_Now())
    start_http_server(port, host)


class _Now:
    """What is read when somebody asks."""

    def describe(self) -> "list[Metric]":
        """None, so that nothing is collected before the server runs."""
        return []

    def collect(self) -> "Iterator[Metric]":
        """Tabs, jobs, and the memory of this server and of the processes that it has started."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        stats = runtime.get_instance().stats_mgr.get_stats(["active_sessions", "session_events"])
        tabs = GaugeMetricFamily("explorer_tabs", "Tabs that are connected.")
        events = CounterMetricFamily("explorer_tab_events", "Tabs that connected, came back or left.", labels=["type"])
        for stat in (*stats["active_sessions"], *stats["session_events"]):
            if isinstance(stat, GaugeStat):
                tabs.add_metric([], stat.value)
            elif isinstance(stat, CounterStat) and stat.labels:
                events.add_metric([stat.labels["type"]], stat.value)
        yield tabs
        yield events

        counts = work.manager().counts()
        jobs = GaugeMetricFamily("explorer_jobs", "Jobs, finished ones for some minutes.", labels=["state"])
        for state in sorted({"queued", "running", *counts}):
            jobs.add_metric([state], counts[state])
        yield jobs

        memory = GaugeMetricFamily("explorer_memory_bytes", "Of all processes that do this.", labels=["work"])
        for work_done, size in _memory().items():
            memory.add_metric([work_done], size)
        yield memory


def _memory() -> dict[str, int]:
    """Bytes of this process and of those that it started, by what they do: proportional set size where there is one."""
    import psutil

    sizes = dict.fromkeys(["server", *WORK.values()], 0)
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):  # it has just ended
            does = next((WORK[part] for part in process.cmdline() if part in WORK), "server")
            info = process.memory_full_info()
            sizes[does] += getattr(info, "pss", info.rss)
    return sizes
