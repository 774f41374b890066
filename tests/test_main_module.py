import subprocess
import sys

import pytest


def test_python_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "bertpipe", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bertpipe ")
    done = subprocess.run([sys.executable, "-m", "bertpipe", "rum"], capture_output=True, text=True, check=False)
    assert done.returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_inside_an_exec_ends_with_status_1(tmp_path):
    """There CPython would have the process end as if the signal had killed it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import bertpipe.cli.main as main\n"
        "def interrupted(arguments):\n"
        "    try:\n"
        "        exec('import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)')\n"
        "    except KeyboardInterrupt:\n"
        "        return 1\n"
        "main.invoke = interrupted\n"
    )
    line = [sys.executable, "-m", "bertpipe", "--version"]
    done = subprocess.run(line, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
