"""A browser's part of Streamlit's protocol (`streamlit.proto` over a websocket), without a browser.

As the frontend of Streamlit 1.67 does, a session keeps the tree of elements, the state of every widget, the address's
parameters and the cache of messages, sends them with each rerun, and reruns the fragments that ask for it. It fetches
no files, uploads none, and runs no component's JavaScript.
"""

import asyncio
import contextlib
import re
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlencode

import psutil
from streamlit.proto.AppPage_pb2 import AppPage
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Block_pb2 import Block
from streamlit.proto.ClientState_pb2 import ClientState, ContextInfo
from streamlit.proto.Common_pb2 import FileUploaderState
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

CHOICES = ("selectbox", "radio", "checkbox", "button_group")
Value = str | bool | float


@dataclass
class Node:
    """What the server put at one place, in which fragment ("" outside of all), by which script, in which run."""

    content: Element | Block
    fragment: str
    script: str
    run: str
    children: dict[int, "Node"] = field(default_factory=dict)


@dataclass(frozen=True)
class Widget:
    """A widget on the page; `kind` is its field in `Element`."""

    kind: str
    proto: Any
    fragment: str

    @property
    def key(self) -> str:
        return self.proto.id.split("-", 2)[2]

    def values(self) -> list[Value]:
        """Every value that a hand can give it: those of a slider, or the options of a choice."""
        if self.kind == "checkbox":
            return [False, True]
        if self.kind == "button_group":
            return [option.content or option.content_icon for option in self.proto.options]
        if options := list(self.proto.options):
            return options
        low, high, step = self.proto.min, self.proto.max, self.proto.step
        return [round(low + index * step, 10) for index in range(round((high - low) / step) + 1)]


class Session:
    """One visitor's tab, from the first page on: `async with Session(url, "geometry_lab") as session: ...`.

    `page` is the page's part of the address, "" for the first, and `query` what stands behind its question mark.
    Exceptions that the page shows go into `errors`.
    Raises `TimeoutError` where a rerun does not end within `patience` seconds, and `ConnectionError` where the server
    ends the session.
    """

    def __init__(
        self,
        url: str,
        page: str = "",
        errors: list[str] | None = None,
        patience: float = 120.0,
        query: Mapping[str, str] | None = None,
    ) -> None:
        self.url, self.patience = url, patience
        self.pages: list[AppPage] = []
        self.errors = [] if errors is None else errors
        self.received = 0  # bytes
        self.auto_reruns: dict[str, tuple[float, asyncio.Task[None]]] = {}  # by fragment: seconds between two
        self._page = page
        self._page_hash = self._main_hash = self._run = ""
        self._roots = {index: Node(Block(), "", "", "") for index in range(4)}  # main, sidebar, event, bottom
        self._states: dict[str, WidgetState] = {}
        self._query = {name: [value] for name, value in (query or {}).items()}
        self._cache: dict[str, tuple[ForwardMsg, int]] = {}  # by hash: a message, and the run that last used it
        self._runs, self._oldest = 0, 0
        self._awaited: tuple[str, asyncio.Future[None]] | None = None
        self._begun = False  # the run that answers what is awaited
        self._socket: ClientConnection
        self._listener: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        start = time.perf_counter()
        self._socket = await connect(
            f"ws{self.url.removeprefix('http')}/_stcore/stream",
            origin=self.url,  # type: ignore[arg-type]
            subprotocols=["streamlit", "PLACEHOLDER_AUTH_TOKEN"],  # type: ignore[list-item]
            proxy=None,
            max_size=None,
            open_timeout=self.patience,
        )
        self._listener = asyncio.create_task(self._listen())
        try:
            await self.rerun()
        except BaseException:
            await self.__aexit__()
            raise
        self.opened = time.perf_counter() - start
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_auto_reruns(*self.auto_reruns)
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        await self._socket.close()

    # What the page holds

    def widgets(self, *kinds: str) -> list[Widget]:
        """Those of these kinds that are not disabled, in the order of the page."""
        found = []
        for node in _walk(self._roots):
            if isinstance(node.content, Element) and (kind := node.content.WhichOneof("type")) in kinds:
                proto = getattr(node.content, kind)
                if not proto.disabled:
                    found.append(Widget(kind, proto, node.fragment))
        return found

    def sliders(self) -> list[Widget]:
        """Those that rerun something when they move."""
        return [slider for slider in self.widgets("slider") if not slider.proto.ignore_rerun]

    def value(self, widget: Widget) -> Any:
        """What it is set to, one of `widget.values()`; None where a choice has none."""
        state = self._states[widget.proto.id]
        name = state.WhichOneof("value")
        value: Any = getattr(state, name) if name else None
        return next(iter(value.data), None) if hasattr(value, "data") else value

    # What a person does

    async def change(self, widget: Widget, value: Value) -> float:
        """Set a widget to a value of `widget.values()`, or to any text; seconds until its rerun has ended."""
        state = WidgetState(id=widget.proto.id)
        match widget.kind, value:
            case _, bool():
                state.bool_value = value
            case (("selectbox" | "radio" | "text_input" | "text_area"), str()):
                state.string_value = value
            case _, str():
                state.string_array_value.data.append(value)
            case _:
                state.double_array_value.data.append(value)
        self._states[state.id] = state
        if name := getattr(widget.proto, "query_param_key", ""):
            self._query.pop(name, None)
            if state != _untouched(widget.kind, widget.proto):
                self._query[name] = [_written(value)]
        return await self.rerun(widget.fragment)

    async def press(self, button: Widget) -> float:
        """Press a button; seconds until its rerun has ended."""
        return await self.rerun(button.fragment, WidgetState(id=button.proto.id, trigger_value=True))

    async def go(self, page: AppPage) -> float:
        """Follow a link to a page; seconds until its script has ended."""
        self._stop_auto_reruns(*self.auto_reruns)
        self._keep_main()
        self._page_hash = page.page_script_hash
        return await self.rerun()

    async def rerun(self, fragment: str = "", trigger: WidgetState | None = None) -> float:
        """Run a fragment, or the page; seconds from the message to the end of the run that answers it."""
        self._begun = False
        answered = asyncio.get_running_loop().create_future()
        self._awaited = fragment, answered
        start = time.perf_counter()
        await self._send(fragment, trigger)
        await asyncio.wait((answered, self._listener), timeout=self.patience, return_when=asyncio.FIRST_COMPLETED)
        self._awaited = None
        if self._listener.done():
            self._listener.result()
        if not answered.done():
            raise TimeoutError(f"no rerun ended within {self.patience:g} s")
        return time.perf_counter() - start

    # The protocol

    async def _send(self, fragment: str, trigger: WidgetState | None = None, auto: bool = False) -> None:
        state = ClientState(
            query_string=urlencode(sorted(self._query.items()), doseq=True),
            widget_states=WidgetStates(widgets=[*self._states.values(), *([trigger] if trigger else [])]),
            page_script_hash=self._page_hash,
            page_name="" if self._page_hash else self._page,
            fragment_id=fragment,
            is_auto_rerun=auto,
            cached_message_hashes=self._cache,
            context_info=ContextInfo(
                timezone="UTC", timezone_offset=0, locale="en-US", url=self.url, is_embedded=False, color_scheme="light"
            ),
        )
        with contextlib.suppress(ConnectionClosed):  # the listener says so
            await self._socket.send(BackMsg(rerun_script=state).SerializeToString())

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for payload in self._socket:
                self.received += len(payload)
                self._take(ForwardMsg.FromString(payload))  # type: ignore[arg-type]
        raise ConnectionError(f"the server ended the session: {self._socket.close_reason or self._socket.close_code}")

    def _take(self, message: ForwardMsg) -> None:
        if message.WhichOneof("type") == "ref_hash":
            cached = self._cache[message.ref_hash][0]
            self._cache[message.ref_hash] = cached, self._runs
            metadata, message = message.metadata, ForwardMsg()
            message.CopyFrom(cached)
            message.metadata.CopyFrom(metadata)
        elif message.metadata.cacheable:
            self._cache[message.hash] = message, self._runs
        run = message.metadata.run
        match message.WhichOneof("type"):
            case "new_session":
                self._begin(message.new_session, run)
            case "delta":
                self._put(message)
            case "script_finished":
                self._finish(message.script_finished, run)
            case "navigation":
                self.pages = list(message.navigation.app_pages)
                self._page_hash = message.navigation.page_script_hash
            case "page_info_changed":
                self._query = parse_qs(message.page_info_changed.query_string, keep_blank_values=True)
            case "auto_rerun":
                self._start_auto_rerun(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                self._stop_auto_reruns(*message.stop_auto_rerun.fragment_ids)
            case "session_event" if message.session_event.HasField("script_compilation_exception"):
                self.errors.append(message.session_event.script_compilation_exception.message)

    def _begin(self, new: Any, run: Any) -> None:
        self._begun = True
        self._run, self._oldest, self._main_hash = (
            run.script_run_id,
            new.config.max_cached_message_age,
            new.main_script_hash,
        )
        if not run.fragment_ids:
            self._stop_auto_reruns(*self.auto_reruns)
        if self._page_hash != new.page_script_hash:
            self._page_hash = new.page_script_hash
            self._keep_main()

    def _put(self, message: ForwardMsg) -> None:
        delta, metadata = message.delta, message.metadata
        if delta.WhichOneof("type") == "new_transient":  # a spinner: it holds nothing
            return
        content = delta.new_element if delta.HasField("new_element") else delta.add_block
        node = Node(content, delta.fragment_id, metadata.active_script_hash, self._run)
        *way, last = metadata.delta_path
        siblings = self._roots
        for index in way:
            siblings = siblings[index].children
        if isinstance(content, Element):
            self._mount(content)
        elif (old := siblings.get(last)) and _kind(old.content) == _kind(content):
            node.children = old.children
        siblings[last] = node

    def _mount(self, element: Element) -> None:
        kind = _kind(element)
        proto = getattr(element, kind, None)
        if kind == "exception":
            self.errors.append(f"{element.exception.type}: {element.exception.message}")
        elif (state := _untouched(kind, proto)) is not None:
            if getattr(proto, "set_value", False):
                self._states[state.id] = _set_by_script(kind, proto)
            else:
                self._states.setdefault(state.id, state)

    def _finish(self, status: int, run: Any) -> None:
        if status == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return
        if status != ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            for root in self._roots.values():
                root.children = _without_stale(root.children, run.script_run_id, run.fragment_ids)
            self._forget_states()
        self._runs += 1
        for name, (message, last) in list(self._cache.items()):
            concerned = not run.fragment_ids or message.delta.fragment_id in run.fragment_ids
            if concerned and self._runs - last > self._oldest:
                del self._cache[name]
        if self._awaited and self._begun:
            fragment, answered = self._awaited
            if not answered.done() and (not run.fragment_ids or fragment in run.fragment_ids):
                answered.set_result(None)

    def _keep_main(self) -> None:
        """Leaving a page drops all but what the main script draws around it."""
        for root in self._roots.values():
            root.children = _of_script(root.children, self._main_hash)
        self._forget_states()

    def _forget_states(self) -> None:
        there = {
            getattr(getattr(node.content, kind), "id", "")
            for node in _walk(self._roots)
            if (kind := _kind(node.content))
        }
        self._states = {name: state for name, state in self._states.items() if name in there}

    def _start_auto_rerun(self, fragment: str, interval: float) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(interval)
                await self._send(fragment, auto=True)

        if self.auto_reruns.get(fragment, (None,))[0] != interval:
            self._stop_auto_reruns(fragment)
            self.auto_reruns[fragment] = interval, asyncio.create_task(repeat())

    def _stop_auto_reruns(self, *fragments: str) -> None:
        for fragment in fragments:
            if fragment in self.auto_reruns:
                self.auto_reruns.pop(fragment)[1].cancel()


def shown_in(session: Session, fragment: str) -> list[Element]:
    """The elements that a fragment draws now, those of fragments in it left out."""
    nodes = _walk(session._roots)
    return [node.content for node in nodes if node.fragment == fragment and isinstance(node.content, Element)]


def _kind(content: Element | Block) -> str:
    return content.WhichOneof("type") or ""


def _walk(nodes: dict[int, Node]) -> Iterator[Node]:
    for _, node in sorted(nodes.items()):
        yield node
        yield from _walk(node.children)


def _without_stale(nodes: dict[int, Node], run: str, fragments: list[str], inside: bool = False) -> dict[int, Node]:
    """Those that a run left: it replaces all, or what stands in the blocks of its fragments."""
    kept = {}
    for index, node in nodes.items():
        fresh = node.run == run
        if isinstance(node.content, Element):
            stays = fresh or (fragments and not (inside and node.fragment))
        else:
            stays = fresh or (fragments and not inside)
            within = inside or (fresh and node.fragment in fragments)
            node.children = _without_stale(node.children, run, fragments, within)
        if stays:
            kept[index] = node
    return kept


def _of_script(nodes: dict[int, Node], script: str) -> dict[int, Node]:
    kept = {index: node for index, node in nodes.items() if node.script == script}
    for node in kept.values():
        node.children = _of_script(node.children, script)
    return kept


def _untouched(kind: str, proto: Any) -> WidgetState | None:
    """What the frontend sends for a widget that nobody has touched; None for what is no widget with a value."""
    match kind:
        case "slider" if proto.options:
            return _state(proto, "string_array_value", [proto.options[int(index)] for index in proto.default])
        case "slider":
            return _state(proto, "double_array_value", proto.default)
        case "selectbox" | "radio":
            has_one = proto.HasField("default") and proto.options
            return _state(proto, "string_value", proto.options[proto.default] if has_one else None)
        case "multiselect":
            return _state(proto, "string_array_value", [proto.options[index] for index in proto.default])
        case "button_group":
            names = [option.content or option.content_icon for option in proto.options]
            return _state(proto, "string_array_value", [names[index] for index in proto.default])
        case "checkbox":
            return _state(proto, "bool_value", proto.default)
        case "text_input" | "text_area":
            return _state(proto, "string_value", proto.default if proto.HasField("default") else None)
        case "number_input":
            return _state(proto, _number(proto), proto.default if proto.HasField("default") else None)
        case "file_uploader":
            return WidgetState(id=proto.id, file_uploader_state_value=FileUploaderState())
    return None


def _set_by_script(kind: str, proto: Any) -> WidgetState:
    """The value that the script itself gave a widget."""
    match kind:
        case "slider" if proto.options:
            return _state(proto, "string_array_value", proto.raw_value)
        case "slider":
            return _state(proto, "double_array_value", proto.value)
        case "selectbox" | "radio":
            return _state(proto, "string_value", proto.raw_value if proto.HasField("raw_value") else None)
        case "multiselect" | "button_group":
            return _state(proto, "string_array_value", proto.raw_values)
        case "checkbox":
            return _state(proto, "bool_value", proto.value)
    field_ = "string_value" if kind in ("text_input", "text_area") else _number(proto)
    return _state(proto, field_, proto.value if proto.HasField("value") else None)


def _state(proto: Any, field_: str, value: Any) -> WidgetState:
    state = WidgetState(id=proto.id)
    if field_.endswith("array_value"):
        getattr(state, field_).data.extend(value)
        getattr(state, field_).SetInParent()
    elif value is not None:
        setattr(state, field_, int(value) if field_ == "int_value" else value)
    return state


def _number(proto: Any) -> str:
    return "int_value" if proto.data_type == proto.INT else "double_value"


def _written(value: Value) -> str:
    """As JavaScript writes it into the address."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


# The server's side


def cpu_seconds(process: psutil.Process) -> float:
    """CPU that a process has used, by its threads that have ended too."""
    if sys.platform == "linux":
        return time.clock_gettime(~process.pid << 3 | 2)  # what clock_getcpuclockid(3) gives: nanoseconds, not ticks
    times = process.cpu_times()
    return times.user + times.system


def pss(process: psutil.Process) -> float:
    """MiB of proportional set size, which Linux alone reports; elsewhere of resident memory."""
    memory = process.memory_full_info()
    return getattr(memory, "pss", memory.rss) / 2**20


def own_memory(process: psutil.Process) -> float:
    """MiB that no file backs: what leaks would add to, and what a system short of memory cannot take back."""
    memory = process.memory_info()
    return (memory.rss - getattr(memory, "shared", 0)) / 2**20


def computations(url: str) -> Counter[str]:
    """How often the process has computed what each of its functions keeps in a cache of Streamlit's, by its name."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/_stcore/metrics", timeout=60) as reply:
        lines = re.findall(r"^cache_compute_duration_seconds_count\{(.*)\} (\d+)", reply.read().decode(), re.M)
    found = Counter[str]()
    for labels, count in lines:
        found[dict(re.findall(r'(\w+)="([^"]*)"', labels))["cache"]] += int(count)
    return found


async def rest(process: psutil.Process, seconds: float = 0.06) -> float:
    """Wait until the server has done next to nothing for `seconds`; its `cpu_seconds` then."""
    before = cpu_seconds(process)
    while True:
        await asyncio.sleep(seconds)
        now = cpu_seconds(process)
        if now - before < seconds / 20:
            return now
        before = now
