"""The sets of images that pages learn from: the digits, downloads, and a person's own images."""

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.jobs import Job, JobRefused
from explorer.ui import made, work
from explorer.ui.markdown import plain
from explorer.ui.spent import fragment

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset

OWN = "own"
OWN_LABEL = "Your own images"
READING = "Reading the images."


def choose_dataset(prefix: str, default: str = "digits-8") -> "ImageDataset | None":
    """A select box over the data sets, kept in the URL, and what it takes to have the chosen one; None until then.

    `prefix` is the page's prefix of widget keys. All sessions share the tensors: do not write to them.
    """
    from explorer.data.images import DATASETS, is_available

    labels = {name: entry.label for name, entry in DATASETS.items()} | {OWN: OWN_LABEL}
    names = list(labels)
    name = st.selectbox(
        "Data",
        names,
        names.index(default),
        format_func=labels.__getitem__,
        key=f"{prefix}_data",
        bind="query-params",
    )
    if name == OWN:
        _take_own_images(prefix)
        return own_images()
    st.caption(f"{DATASETS[name].about} {DATASETS[name].terms}.")
    problem = None
    if is_available(name):
        try:
            return _shared(name)
        except ValueError as error:
            problem = f"{error} Download the files again."
    _offer_download(prefix, name, problem)
    return None


def find_dataset(name: str) -> "ImageDataset | None":
    """A data set by its name, "own" included, without a word; None where it is not here."""
    from explorer.data.images import DATASETS, is_available

    if name == OWN:
        return own_images()
    if name not in DATASETS:  # a file of weights may say anything
        return None
    try:
        return _shared(name) if is_available(name) else None
    except ValueError:
        return None


def own_images() -> "ImageDataset | None":
    """The images that this visitor brought, on whichever page; None before that."""
    read = made.recall("own_images")
    return read.dataset() if read else None


@st.cache_resource(show_spinner=False)
def _shared(name: str) -> "ImageDataset":
    """The data set, read once a process: 31 MB for each of those that are downloaded."""
    from explorer.data.images import load_dataset

    return load_dataset(name)


def offer_missing(prefix: str, name: str) -> None:
    """A button that fetches a data set of the registry that is not here; nothing for any other."""
    from explorer.data.images import DATASETS, is_available

    if name in DATASETS and not is_available(name):
        _offer_download(prefix, name, None)


def _offer_download(prefix: str, name: str, problem: str | None) -> None:
    """A button that fetches the data set, how that goes, and why it failed; `problem` is why it is not here."""
    from explorer.data.images import DATASETS

    jobs = work.find_jobs(lambda job: job.task == "download" and job.params["dataset"] == name)
    job = jobs[-1] if jobs else None
    if job and not job.finished:
        _follow(prefix, job)
        return
    if job and job.state == "failed":
        problem = job.error
    elif job and job.capped:
        problem = f"The download was not done after {job.max_seconds:.0f} s. Try again where the network is faster."
    if problem:
        st.error(problem, icon=":material/error:")
    what = "Try again" if job and problem else f"Download {DATASETS[name].label}"
    label = f"{what} ({DATASETS[name].download_bytes / 1e6:.1f} MB)"
    help = "Once for this machine: the files are kept for everyone who uses it."
    if st.button(label, icon=":material/download:", key=f"{prefix}_download", help=help):
        try:
            work.manager().submit(work.visitor(), "download", {"dataset": name})
        except JobRefused as refusal:
            st.warning(str(refusal), icon=":material/hourglass:")
        else:
            st.rerun()


@fragment(run_every=1.0)
def _follow(prefix: str, job: Job) -> None:
    """How a download goes, once a second until it ends."""
    job.renew()
    if job.finished:
        st.rerun()
    progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
    st.progress(progress.get("share", 0.0), text=_describe(job, progress))
    st.button("Cancel", on_click=job.cancel, icon=":material/close:", key=f"{prefix}_cancel_download")


def _describe(job: Job, progress: dict[str, Any]) -> str:
    if job.pending:
        return work.describe(job)
    if not progress.get("bytes"):
        return "Looking for a server that has the files."
    megabytes = f"{progress['bytes'] / 1e6:.1f} of {progress['total'] / 1e6:.1f} MB"
    return f"{megabytes}, about {progress['remaining']:.0f} s left."


def _take_own_images(prefix: str) -> None:
    """A place for a zip or for images, and what was made of them, which stays when the page is left."""
    from explorer.data.own_images import FEWEST_IMAGES, MOST_IMAGES, MOST_ZIP_BYTES, SIZE, read_files
    from explorer.data.uploads import ENDINGS

    megabytes = min(MOST_ZIP_BYTES // 10**6, st.get_option("server.maxUploadSize"))
    uploads = st.file_uploader(
        "One zip, or the images themselves",
        ["zip", *ENDINGS],
        accept_multiple_files=True,
        key=f"{prefix}_own",
        max_upload_size=megabytes,
        help="Folders in the zip become classes where there are 2 to 10 of them.",
    )
    chosen = [upload.file_id for upload in uploads]
    if chosen and chosen != st.session_state.get("own_chosen"):
        bar, started = st.progress(0.0, text=READING), time.monotonic()

        def tell(share: float) -> None:
            left = f" About {(time.monotonic() - started) * (1 / share - 1):.0f} s left." if share else ""
            bar.progress(share, text=f"{READING}{left}")

        files = [(upload.name, upload.getvalue()) for upload in uploads]
        problem = None
        try:
            made.remember("own_images", read_files(files, progress=tell))
        except ValueError as error:
            problem = str(error)
        st.session_state["own_chosen"], st.session_state["own_problem"] = chosen, problem
        bar.empty()
    problem = st.session_state.get("own_problem") if chosen else None
    if problem:
        st.error(plain(problem), icon=":material/image_not_supported:")
    if read := made.recall("own_images"):
        st.caption(f"{'The images from before are still here: ' if problem else ''}{plain(read.summary())}")
    else:
        st.caption(
            f"{FEWEST_IMAGES} to {MOST_IMAGES:,} images, up to {megabytes} MB a file. The middle of each becomes "
            f"{SIZE} x {SIZE} grey pixels. They stay on the server for a day after you last looked, for you alone."
        )
