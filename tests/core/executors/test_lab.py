"""The lab is a real process here; the functions it calls are ordinary ones of the standard library."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError

import psutil
import pytest

from core.errors import LabError, RecipeError
from core.executors.lab import Lab
from tests.running import until


@pytest.fixture
def lab():
    found = Lab("test lab")
    yield found
    found.close()


def test_a_call_runs_in_another_process_that_stays(lab):
    first = lab.call("os:getpid")
    assert first != os.getpid()
    assert lab.call("os:getpid") == first


def test_arguments_and_answers_travel_whole(lab):
    assert lab.call("json:dumps", {"a": [1, "ü"]}, sort_keys=True) == '{"a": [1, "\\u00fc"]}'
    megabytes = os.urandom(5_000_000)
    assert lab.call("builtins:bytes", megabytes) == megabytes


def test_an_error_for_people_arrives_as_itself(lab):
    with pytest.raises(RecipeError, match="phases.0.epochs") as error:
        lab.call("tests.core.executors.labwork:refuse", "phases.0.epochs")
    assert error.value.expected == "a whole number"


def test_any_other_error_arrives_with_its_trace(lab):
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError in operator:truediv[\s\S]*Traceback"):
        lab.call("operator:truediv", 1, 0)
    with pytest.raises(RuntimeError, match="ModuleNotFoundError"):
        lab.call("no_such_module:function")
    assert lab.call("operator:truediv", 4, 2) == 2


def test_an_answer_that_cannot_travel_is_an_error_and_no_crash(lab):
    pid = lab.call("os:getpid")
    with pytest.raises(RuntimeError, match="pickle"):
        lab.call("threading:Lock")
    assert lab.call("os:getpid") == pid


def test_arguments_that_cannot_travel_are_an_error_and_no_crash(lab):
    with pytest.raises((TypeError, AttributeError)):
        lab.call("builtins:bytes", threading.Lock())
    assert lab.call("builtins:abs", -1) == 1


def test_a_process_that_ends_is_told_once_and_replaced(lab):
    before = lab.call("os:getpid")
    with pytest.raises(LabError, match="The test lab, a helper process, ended before it answered: found exit code 3"):
        lab.call("os:_exit", 3)
    assert lab.call("os:getpid") not in (before, os.getpid())


def test_a_process_killed_at_work_is_told_with_its_likely_cause(lab):
    pid = lab.call("os:getpid")
    future = lab.submit("time:sleep", 60)
    until(future.running, 10)
    psutil.Process(pid).kill()
    with pytest.raises(LabError, match=r"lack of memory"):
        future.result(10)


def test_a_process_killed_while_idle_is_replaced_without_a_word(lab):
    pid = lab.call("os:getpid")
    psutil.Process(pid).kill()
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 10)
    assert lab.call("os:getpid") != pid


def test_a_call_that_takes_too_long_is_ended(lab):
    pid = lab.call("os:getpid")
    with pytest.raises(LabError, match=r"gave no answer in 0\.2 seconds"):
        lab.call("time:sleep", 60, timeout=0.2)
    assert lab.call("os:getpid", timeout=10) != pid


def test_a_call_that_only_waited_too_long_does_no_harm_to_the_one_before_it(lab):
    pid = lab.call("os:getpid")
    slow = lab.submit("time:sleep", 1)
    until(slow.running, 10)
    with pytest.raises(LabError, match="gave no answer"):
        lab.call("os:getpid", timeout=0.1)
    assert slow.result(10) is None
    assert lab.call("os:getpid") == pid


def test_a_call_not_yet_begun_can_be_cancelled(lab):
    lab.call("os:getpid")
    slow, waiting = lab.submit("time:sleep", 0.5), lab.submit("os:getpid")
    assert waiting.cancel()
    with pytest.raises(CancelledError):
        waiting.result()
    assert slow.result(10) is None


def test_a_call_at_work_can_be_ended_and_the_one_behind_it_is_answered(lab):
    pid = lab.call("os:getpid")
    slow, waiting = lab.submit("time:sleep", 60), lab.submit("os:getpid")
    until(slow.running, 10)
    until(lambda: lab._current is slow, 10)

    lab.cancel(slow)

    with pytest.raises(LabError):
        slow.result(10)
    assert waiting.result(30) != pid


def test_calls_from_many_threads_are_all_answered(lab):
    answers = {}

    def ask(number):
        answers[number] = lab.call("operator:mul", number, number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == {number: number**2 for number in range(20)}


def test_what_a_function_prints_does_not_get_between_the_answers(lab):
    assert lab.call("builtins:print", "hello") is None
    assert lab.call("os:system", "echo hello from a child") == 0
    assert lab.call("builtins:abs", -3) == 3


def test_modules_are_imported_ahead_also_after_a_crash(lab):
    lab.warm("colorsys").result(30)
    assert lab.call("tests.core.executors.labwork:imported", "colorsys")
    with pytest.raises(LabError):
        lab.call("os:_exit", 1)
    assert lab.call("tests.core.executors.labwork:imported", "colorsys")


def test_a_closed_lab_ends_its_process_and_takes_no_calls(lab):
    pid = lab.call("os:getpid")
    slow, waiting = lab.submit("time:sleep", 60), lab.submit("os:getpid")
    until(slow.running, 10)
    lab.close()
    assert not psutil.pid_exists(pid)
    for future in (slow, waiting):
        with pytest.raises(LabError):
            future.result(10)
    with pytest.raises(LabError, match="closed"):
        lab.call("os:getpid")


def test_a_lab_that_was_never_asked_starts_no_process():
    before = len(psutil.Process().children())
    Lab().close()
    assert len(psutil.Process().children()) == before


SERVER = """
import sys, time
from core.executors.lab import Lab
assert "torch" not in sys.modules
lab = Lab()
print(lab.call("os:getpid"), flush=True)
future = lab.submit("time:sleep", 60)
if sys.argv[1] == "ends":
    sys.exit(0)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_the_lab_ends_with_its_server_even_in_the_middle_of_a_call(how, tmp_path):
    script = tmp_path / "app.py"
    script.write_text(SERVER)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    server = subprocess.Popen([sys.executable, str(script), how], stdout=subprocess.PIPE, env=environment)
    lab_process = psutil.Process(int(server.stdout.readline()))
    began = time.monotonic()
    if how == "is killed":
        server.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    server.wait(10)
    assert time.monotonic() - began < 5  # the server waits for nothing
    until(lambda: not lab_process.is_running() or lab_process.status() == psutil.STATUS_ZOMBIE, 10)


def test_the_main_module_of_the_server_is_not_run_again(tmp_path):
    """Under Streamlit the main module is the app."""
    script = tmp_path / "app.py"
    script.write_text(
        "from pathlib import Path\n"
        "with open('runs.txt', 'a') as file: file.write('x')\n"
        "from core.executors.lab import Lab\n"
        "Lab().call('os:getpid')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert (tmp_path / "runs.txt").read_text() == "x"
