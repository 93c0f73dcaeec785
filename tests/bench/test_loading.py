"""Flow modules are loaded in a process of their own, and every failure says where and what next."""

import os
import sys
from pathlib import Path

import pytest

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Check, Load, Loaded
from loom_bench.session.asking import check_module, load_plan
from tests.bench.modules import line_of, write_flow, write_module


def loaded(target: Path | str, **options: object) -> Loaded:
    answer = load_plan(Load(target=str(target), **options))  # type: ignore[arg-type]
    assert isinstance(answer, Loaded), answer
    return answer


def refused(target: Path | str, **options: object) -> Diagnosis:
    """The one diagnosis of a module that cannot be loaded."""
    answer = load_plan(Load(target=str(target), **options))  # type: ignore[arg-type]
    assert not isinstance(answer, Loaded)
    assert len(answer) == 1
    return answer[0]


def test_a_module_that_stands_alone_has_its_files_stem_as_name(tmp_path: Path) -> None:
    write_module(tmp_path, "pricing.py", "RATE = 2")
    path = write_flow(tmp_path, more="from pricing import RATE")
    answer = loaded(path)
    assert answer.plan.flow == "orders"
    assert answer.module == "orders"
    assert answer.module_files == (str(path), str(tmp_path / "pricing.py"))
    assert not answer.has_feed


def test_a_module_in_a_package_keeps_its_dotted_name(tmp_path: Path) -> None:
    write_module(tmp_path, "shop/__init__.py", "")
    write_module(tmp_path, "shop/flows/__init__.py", "")
    write_module(tmp_path, "shop/pricing.py", "RATE = 2")
    path = write_flow(tmp_path, "shop/flows/orders.py", "from shop.pricing import RATE")
    answer = loaded(path)
    assert answer.module == "shop.flows.orders"
    assert str(tmp_path / "shop/pricing.py") in answer.module_files


def test_the_modules_folder_comes_before_installed_packages(tmp_path: Path) -> None:
    write_module(tmp_path, "omegaconf_settings.py", "HERE = True")
    path = write_flow(tmp_path, more="import omegaconf_settings, sys; assert sys.path[0]")
    assert str(tmp_path / "omegaconf_settings.py") in loaded(path).module_files


def test_a_module_in_the_working_directory_does_not_replace_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(tmp_path, "msgspec.py", "raise RuntimeError('taken')")
    path = write_flow(tmp_path / "flows")
    monkeypatch.chdir(tmp_path)
    assert loaded(path).plan.flow == "orders"


def test_two_saves_within_a_second_run_the_newer_code(tmp_path: Path) -> None:
    helper = write_module(tmp_path, "naming.py", "NAME = 'first'")
    path = write_flow(tmp_path, more="from naming import NAME; flow.name = NAME")
    stamp = 1_700_000_000
    os.utime(helper, (stamp, stamp))
    assert loaded(path).plan.flow == "first"
    write_module(tmp_path, "naming.py", "NAME = 'other'")  # as long, and as old in whole seconds
    os.utime(helper, (stamp, stamp))
    assert loaded(path).plan.flow == "other"


def test_a_feed_is_noticed(tmp_path: Path) -> None:
    assert loaded(write_flow(tmp_path, more="def bench_feed(): return []")).has_feed


def test_what_is_told_of_the_code_is_about_what_was_imported(tmp_path: Path) -> None:
    feed = "def bench_feed(): return []"
    before = loaded(write_flow(tmp_path, more=feed))
    saved_meanwhile = "from pathlib import Path\nPath(__file__).write_text('')"
    after = loaded(write_flow(tmp_path, more=f"{feed}\n{saved_meanwhile}"))
    assert after.feed_hash == before.feed_hash
    assert after.plan.nodes == before.plan.nodes


TWO_FLOWS = """
from loom_runtime import StreamFlow
second = StreamFlow("second", flow.source, flow.process, flow.output)
"""


def test_one_of_several_flows_is_chosen_by_name(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more=TWO_FLOWS)
    assert loaded(path).plan.flow == "orders"  # the one that is named flow
    assert loaded(f"{path}:second").plan.flow == "second"
    assert set(check_module(Check(target=str(path))).flows) == {"orders", "second"}


def test_several_flows_and_none_named_flow(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more=TWO_FLOWS + "first = flow\ndel flow\n")
    found = refused(path)
    assert found.code == "several_flows"
    assert "second, first" in found.message
    assert (found.file, found.line) == (str(path), line_of(path, "second ="))
    assert found.source is not None
    assert "orders.py:second" in (found.hint or "")


def test_a_flow_that_is_imported_counts_when_the_module_has_none(tmp_path: Path) -> None:
    write_flow(tmp_path, "base.py")
    path = write_module(tmp_path, "orders.py", "from base import flow")
    assert loaded(path).plan.flow == "orders"


def test_no_such_file(tmp_path: Path) -> None:
    found = refused(tmp_path / "gone.py")
    assert (found.code, found.file) == ("file_not_found", str(tmp_path / "gone.py"))


def test_no_python_file(tmp_path: Path) -> None:
    assert refused(write_module(tmp_path, "orders.yaml", "a: 1")).code == "not_a_module"
    assert refused(tmp_path).code == "not_a_module"


def test_a_syntax_error_is_shown_with_its_line(tmp_path: Path) -> None:
    path = write_module(tmp_path, "orders.py", "x = 1\nflow = StreamFlow(\n")
    found = refused(path)
    assert found.code == "syntax_error"
    assert "was never closed" in found.message
    assert (found.file, found.line, found.source) == (str(path), 2, "flow = StreamFlow(")
    assert found.column == 18


def test_a_syntax_error_in_another_module_names_that_file(tmp_path: Path) -> None:
    helper = write_module(tmp_path, "pricing.py", "\n\ndef f(:\n")
    path = write_module(tmp_path, "orders.py", "import pricing")
    found = refused(path)
    assert (found.code, found.file, found.line) == ("syntax_error", str(helper), 3)
    assert [(frame.file, frame.line) for frame in found.frames] == [(str(path), 1)]


@pytest.mark.parametrize("text", [b"flow = '\xff'\n", b"x = 1\0\n"])
def test_a_file_that_is_no_text(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "orders.py"
    path.write_bytes(text)
    found = refused(path)
    assert found.code in ("syntax_error", "import_failed")
    assert found.file == str(path)


def test_an_import_that_raises_shows_the_users_frames_only(tmp_path: Path) -> None:
    helper = write_module(
        tmp_path, "pricing.py", "import json\n\ndef rate():\n    return json.loads('{')\n"
    )
    path = write_module(tmp_path, "orders.py", "import pricing\n\npricing.rate()\n")
    found = refused(path)
    assert found.code == "import_failed"
    assert found.message.startswith("JSONDecodeError: Expecting property name")
    assert (found.file, found.line) == (str(helper), 4)
    assert found.source == "return json.loads('{')"
    assert [(Path(frame.file).name, frame.line, frame.function) for frame in found.frames] == [
        ("orders.py", 3, "<module>"),
        ("pricing.py", 4, "rate"),
    ]


def test_a_missing_package_says_where_to_install_it(tmp_path: Path) -> None:
    found = refused(write_module(tmp_path, "orders.py", "import numpyy_of_nowhere"))
    assert found.code == "import_failed"
    assert (found.line, found.source) == (1, "import numpyy_of_nowhere")
    assert sys.prefix in (found.hint or "")


def test_an_exception_whose_text_fails_is_named(tmp_path: Path) -> None:
    text = """
    class Odd(BaseException):
        def __str__(self):
            raise ValueError
    raise Odd
    """
    assert refused(write_module(tmp_path, "orders.py", text)).message == "Odd"


def test_a_module_that_exits_when_imported(tmp_path: Path) -> None:
    path = write_module(tmp_path, "orders.py", "import sys\nsys.exit('usage: orders')\n")
    found = refused(path)
    assert found.code == "import_exited"
    assert "sys.exit('usage: orders')" in found.message
    assert (found.line, found.source) == (2, "sys.exit('usage: orders')")
    assert "__main__" in (found.hint or "")


HANGS = {
    "asleep": "import time\n\ndef wait():\n    time.sleep(600)  # here\n\nwait()\n",
    "busy": "def wait():\n    while True:  # here\n        pass\n\nwait()\n",
    # Backtracks for ever in C without letting go of the interpreter.
    "holding the interpreter": "import re\n\nre.match('(a+)+$', 'a' * 64 + 'b')  # here\n",
}


@pytest.mark.parametrize("how", HANGS)
def test_an_endless_import_is_ended_and_says_where_it_was(tmp_path: Path, how: str) -> None:
    path = write_module(tmp_path, "orders.py", HANGS[how])
    found = refused(path, time_limit_ms=700)
    assert found.code == "import_timed_out"
    assert "0.7 s" in found.message
    assert found.file == str(path)
    assert abs((found.line or 0) - line_of(path, "# here")) <= 1
    assert found.frames[0].function == "<module>"


def test_a_process_that_ends_itself(tmp_path: Path) -> None:
    text = "import os, sys\nprint('bye', file=sys.stderr)\nos._exit(3)\n"
    found = refused(write_module(tmp_path, "orders.py", text))
    assert found.code == "host_exited"
    assert "exit code 3; it said last: bye" in found.message


def test_a_crash_in_c_says_where(tmp_path: Path) -> None:
    path = write_module(
        tmp_path, "orders.py", "import ctypes\n\ndef f():\n    ctypes.string_at(0)\n\nf()\n"
    )
    found = refused(path)
    assert found.code == "host_killed"
    assert "SIGSEGV" in found.message
    assert (found.file, found.line) == (str(path), 4)


def test_garbage_on_the_channel(tmp_path: Path) -> None:
    text = """
    import os, stat
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.write(fd, b"\\x00\\x00\\x00\\x03abc")
        except OSError:
            pass
    import time
    time.sleep(600)
    """
    found = refused(write_module(tmp_path, "orders.py", text))
    assert found.code == "channel_broken"


def test_no_flow(tmp_path: Path) -> None:
    found = refused(write_module(tmp_path, "orders.py", "x = 1"))
    assert found.code == "no_flow"
    assert "StreamFlow" in found.message
    path = write_flow(tmp_path)
    missing = refused(f"{path}:refunds")
    assert missing.code == "no_flow"
    assert missing.hint == "It defines: flow."


def test_something_that_is_no_flow(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more="def make():\n    return flow\n\nanswer: int = 42\n")
    function = refused(f"{path}:make")
    assert function.code == "not_a_flow"
    assert function.line == line_of(path, "def make")
    assert "Call it" in (function.hint or "")
    number = refused(f"{path}:answer")
    assert "builtins.int" in number.message
    assert number.source == "answer: int = 42"


def test_a_flow_of_another_library(tmp_path: Path) -> None:
    write_module(tmp_path, "loomlike.py", "class StreamFlow:\n    pass\n")
    path = write_module(
        tmp_path, "orders.py", "from loomlike import StreamFlow\n\nmine = StreamFlow()\n"
    )
    found = refused(path)
    assert (found.code, found.line) == ("not_a_flow", 3)
    assert found.hint == "Import StreamFlow from loom_runtime instead of loomlike."


@pytest.mark.parametrize("name", ["queue.py", "msgspec.py", "orders.v2.py"])
def test_a_name_that_python_or_a_package_has_already(tmp_path: Path, name: str) -> None:
    found = refused(write_flow(tmp_path, name))
    assert found.code == "module_name_taken"
    assert found.hint == "Rename the file."


def test_every_issue_of_every_flow_is_reported_with_its_line(tmp_path: Path) -> None:
    path = write_flow(
        tmp_path,
        more="""
        from loom_runtime import Drain, ForEach
        second = StreamFlow("second", flow.source, Process(ForEach(), Drain()), flow.output)
        """,
    )
    checked = check_module(Check(target=str(path)))
    assert set(checked.flows) == {"orders", "second"}
    assert {issue.code for issue in checked.diagnoses} == {
        "shape_mismatch",
        "output_beside_terminal",
    }
    for issue in checked.diagnoses:
        assert issue.file == str(path)
        assert issue.line
        assert issue.source


def test_a_step_that_cannot_be_built(tmp_path: Path) -> None:
    path = write_module(
        tmp_path,
        "orders.py",
        """
        from loom_runtime import FromTopic, IntoTopic, LoomStruct, Process, RecordStep, StreamFlow

        class Order(LoomStruct):
            id: int

        class Broken(RecordStep[Order, Order]):
            def __init__(self):
                raise RuntimeError("no such table")

            def execute(self, message):
                return message.payload

        flow = StreamFlow(
            "orders", FromTopic("orders", payload=Order), Process(Broken), IntoTopic("copies")
        )
        """,
    )
    (issue,) = check_module(Check(target=str(path))).diagnoses
    assert issue.code == "step_cannot_be_built"
    assert "no such table" in issue.message
    assert issue.file == str(path)


def test_what_a_module_prints_does_not_disturb_the_frames(tmp_path: Path) -> None:
    path = write_flow(tmp_path, more="print('x' * 10_000_000)\nprint('\\0' * 1000)\n")
    assert loaded(path).plan.flow == "orders"
