"""What a container allows: trees of control groups as the kernel lays them out, of both versions."""

import os
import subprocess
import sys

import pytest

from explorer.hardware import limits

GIB = 2**30
NO_LIMIT_V1 = 9223372036854771712


@pytest.fixture
def system(monkeypatch, tmp_path):
    """Writes files below /proc and /sys/fs/cgroup of a system with 8 cores."""
    monkeypatch.setattr(limits, "PROC", tmp_path / "proc")
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    def at(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return at


def test_where_nothing_tells_the_machine_counts(system):
    assert limits.available_cores() == 8
    assert limits.free_memory() is None
    assert limits.own_memory() is None
    assert limits.allowed_memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(("quota", "cores"), [("max", 8), ("150000", 2), ("20000", 1), ("9900000", 8)])
def test_a_container_quota_bounds_the_cores(system, quota, cores):
    system("proc/self/cgroup", "0::/\n")
    system("cgroup/cpu.max", f"{quota} 100000\n")
    assert limits.available_cores() == cores


def test_the_tightest_group_on_the_way_to_the_root_counts(system):
    system("proc/self/cgroup", "0::/system.slice/app.service\n")
    system("cgroup/system.slice/cpu.max", "300000 100000\n")
    system("cgroup/system.slice/app.service/cpu.max", "max 100000\n")
    system("cgroup/system.slice/memory.max", f"{GIB}\n")
    system("cgroup/system.slice/memory.current", f"{GIB // 2}\n")
    system("cgroup/system.slice/memory.stat", f"anon 1\ninactive_file {GIB // 4}\n")
    system("cgroup/system.slice/app.service/memory.max", "max\n")
    system("cgroup/system.slice/app.service/memory.current", "1\n")
    system("proc/meminfo", "MemTotal: 99 kB\nMemAvailable:   16777216 kB\n")
    assert limits.available_cores() == 3
    assert limits.allowed_memory() == GIB
    assert limits.free_memory() == GIB - GIB // 2 + GIB // 4


def test_groups_of_the_first_version_count_too(system):
    system("proc/self/cgroup", "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n")
    system("cgroup/cpu/docker/1/cpu.cfs_quota_us", "400000\n")
    system("cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\n")
    system("cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    system("cgroup/cpu/cpu.cfs_period_us", "100000\n")
    system("cgroup/memory/docker/1/memory.limit_in_bytes", f"{GIB}\n")
    system("cgroup/memory/docker/1/memory.usage_in_bytes", f"{GIB}\n")
    system("cgroup/memory/docker/1/memory.stat", "cache 5\ntotal_inactive_file 4096\n")
    system("cgroup/memory/memory.limit_in_bytes", f"{NO_LIMIT_V1}\n")
    system("cgroup/memory/memory.usage_in_bytes", f"{3 * GIB}\n")
    system("cgroup/memory/memory.stat", "total_inactive_file 0\n")
    assert limits.available_cores() == 4
    assert limits.allowed_memory() == GIB
    assert limits.free_memory() == 4096


def test_free_memory_is_never_negative(system):
    system("proc/self/cgroup", "0::/\n")
    system("cgroup/memory.max", "100\n")
    system("cgroup/memory.current", "300\n")
    system("cgroup/memory.stat", "inactive_file 50\n")
    assert limits.free_memory() == 0


@pytest.mark.parametrize("garbled", ["", "nothing\n", "max\n", "12 apples\n", "-1\n"])
def test_files_that_say_nothing_are_passed_over(system, garbled):
    system("proc/self/cgroup", "0::/\n")
    for name in ("cpu.max", "memory.max", "memory.current", "memory.stat"):
        system(f"cgroup/{name}", garbled)
    system("proc/meminfo", garbled)
    assert limits.available_cores() == 8
    assert limits.allowed_memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert limits.free_memory() in (None, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is a process's own")
def test_memory_of_a_process_is_what_it_filled():
    fill = "import sys; data = bytearray(64 * 2**20); print('filled', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", fill], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert 64 * 2**20 < limits.own_memory(process.pid) < 90 * 2**20
        process.stdin.close()
