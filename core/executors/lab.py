"""The lab: one helper process that stays warm and does what needs torch while a page waits for it.

The web process never imports torch. It names a function, "module.path:function"; the lab imports the module and calls
it. What travels in either direction is pickled through two pipes, so arguments and answers are plain data.

Not a process pool: a pool would import the web process's main module, which under Streamlit is the app; it takes calls
that were not begun yet down with the one that took too long; and it keeps the server from ending while a call runs.
"""

import importlib
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from core.errors import FoveaError, LabError
from core.executors.launch import apart, environment
from core.runs.liveness import ProcessMark

_SECONDS_BETWEEN_LOOKS = 1.0  # for whether the server is still there


@dataclass(frozen=True)
class _Call:
    work: str
    args: tuple
    options: dict[str, Any]
    future: Future


class Lab:
    """One process, started at the first call and replaced when it ends.

    Calls from any number of threads are answered one after the other. `name` is what errors call it.
    """

    def __init__(self, name: str = "lab") -> None:
        self.name = name
        self._guard = threading.Lock()  # over which process there is and what it is doing
        self._process: subprocess.Popen | None = None
        self._current: Future | None = None
        self._thread: threading.Thread | None = None
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._modules: tuple[str, ...] = ()
        self._closed = False

    def call(self, work: str, *args: Any, timeout: float | None = None, **options: Any) -> Any:
        """What the function `work` ("module.path:function") returns for these arguments.

        An error of the function arrives here: a FoveaError as itself, anything else as RuntimeError with its trace.
        Raises LabError when the process ends before it answers, or when there is no answer in `timeout` seconds,
        waiting for earlier calls included; the next call gets a new process.
        """
        future = self.submit(work, *args, **options)
        try:
            return future.result(timeout)
        except TimeoutError:
            self.cancel(future)
            raise LabError(
                f"The {self.name} gave no answer in {timeout:g} seconds", do="Try again, with less to do at once"
            ) from None

    def submit(self, work: str, *args: Any, **options: Any) -> Future:
        """Like `call`, without waiting: the answer or the error is in the Future. It can be cancelled until begun."""
        future: Future = Future()
        with self._guard:
            self._insist_on_open()
            self._calls.put(_Call(work, args, options, future))
            if self._thread is None:
                # A daemon, so that a server that ends waits for nothing; the process sees it end and follows.
                self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
                self._thread.start()
        return future

    def cancel(self, future: Future) -> None:
        """End a call of `submit`. One at work ends with the process, in the middle of whatever it does; its Future
        then has a LabError, and the calls behind it get a new process."""
        if not future.cancel():
            with self._guard:
                if self._current is future:
                    self._kill()

    def warm(self, *modules: str) -> Future:
        """Import these modules ahead of the first call, now and whenever the process is replaced."""
        self._modules = tuple(dict.fromkeys((*self._modules, *modules)))
        return self.submit(f"{__name__}:import_all", modules)

    def close(self) -> None:
        """End the process, whatever it is doing, and take no further calls."""
        with self._guard:
            self._closed = True
            self._calls.put(None)
            self._kill()

    # In the thread that talks to the process

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            if not call.future.set_running_or_notify_cancel():
                continue
            try:
                request = pickle.dumps((call.work, call.args, call.options))
                good, answer = self._ask(self._begin(call.future), request)
            except Exception as error:
                good, answer = False, error
            with self._guard:
                self._current = None
            if good:
                call.future.set_result(answer)
            else:
                call.future.set_exception(answer)
        _close_pipes(self._process)

    def _begin(self, future: Future) -> subprocess.Popen:
        with self._guard:
            self._insist_on_open()
            if self._process is None or not ProcessMark.of(self._process.pid).alive:  # none yet, or it has ended
                self._kill()
                _close_pipes(self._process)
                self._process = _start(self._modules)
            self._current = future
            return self._process

    def _ask(self, process: subprocess.Popen, request: bytes) -> tuple[bool, Any]:
        try:
            _send(process.stdin, request)
            answer = _receive(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            process.kill()
            raise LabError(
                f"The {self.name}, a helper process, ended before it answered",
                found=_cause(process.wait()),
                do="Try again; a new one is started",
            ) from None
        return pickle.loads(answer)

    # Under the guard

    def _insist_on_open(self) -> None:
        if self._closed:
            raise LabError(f"The {self.name} is closed", do="Reload the page")

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _start(modules: tuple[str, ...]) -> subprocess.Popen:
    here = ProcessMark.here()
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(here.pid), str(here.created), here.host, *modules],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **apart(),  # so that Ctrl-C in the terminal is only for the server
    )


def _close_pipes(process: subprocess.Popen | None) -> None:
    if process is not None:
        process.stdout.close()
        with suppress(OSError):  # what could not be sent is of no use now
            process.stdin.close()


def _cause(code: int) -> str:
    if code < 0:
        return f"signal {-code}, often a lack of memory" if code == -9 else f"signal {-code}"
    return f"exit code {code}"


# A frame is a pickled bytes object, so that one that cannot be unpickled does not spoil those that follow.


def _send(stream: Any, frame: bytes) -> None:
    pickle.dump(frame, stream)
    stream.flush()


def _receive(stream: Any) -> bytes:
    return pickle.load(stream)


# In the lab process


def import_all(modules: tuple[str, ...]) -> None:
    """Import modules by name."""
    for name in modules:
        importlib.import_module(name)


def _answer(request: bytes) -> bytes:
    work = "a call"
    try:
        work, args, options = pickle.loads(request)
        module, _, name = work.partition(":")
        function: Callable = getattr(importlib.import_module(module), name)
        return pickle.dumps((True, function(*args, **options)))
    except FoveaError as error:
        return pickle.dumps((False, error))
    except Exception as error:  # it may be of a class that the web process must not import, or that does not pickle
        told = RuntimeError(f"{type(error).__name__} in {work}: {error}\n\n{traceback.format_exc()}")
        return pickle.dumps((False, told))


def _end_with(server: ProcessMark) -> None:
    while server.alive:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Answer calls until the server closes the pipe or ends. Arguments: the server's mark, and modules to import."""
    pid, created, host, *modules = arguments
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what a library prints must not get between the answers
    server = ProcessMark(int(pid), float(created), host)
    threading.Thread(target=_end_with, args=(server,), name="end-with-server", daemon=True).start()
    import_all(tuple(modules))
    while True:
        try:
            request = _receive(requests)
        except EOFError:
            return
        _send(answers, _answer(request))


if __name__ == "__main__":
    main(sys.argv[1:])
