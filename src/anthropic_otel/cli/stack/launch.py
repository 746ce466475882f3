"""Records the process that runs it, then becomes another program: `launch.py RECORD LOCK PROGRAM [ARGUMENT ...]`.

A record that the starter writes comes too late if the starter is killed just after it has started a process. The
process itself keeps the lock open, which it inherits as the descriptor LOCK, until it has written the file RECORD.

Rule: the standard library only, and nothing of this package: it is run as a script, before every part of the stack.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_PROC = Path("/proc")


def start_mark(pid: int) -> str | None:
    """When a process started, in a form that is another for each process which has that number; None once it ended."""
    if (_PROC / "self" / "stat").exists():
        return _linux_start_mark(pid)
    asked = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    told = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout.split()
    return " ".join(told[1:]) if told and not told[0].startswith("Z") else None


def _linux_start_mark(pid: int) -> str | None:
    """The boot, and the clock tick since it: wall clock times may be set, and a container may have no `ps`."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # After the program's name, which may have blanks and parentheses: the state is field 3, the start is field 22.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return f"{(_PROC / 'sys/kernel/random/boot_id').read_text().strip()} {fields[19]}"


def write(path: Path, value: object) -> None:
    """Writes JSON so that a reader finds the whole of it, or nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value))
    os.replace(part, path)


def main(record: str, lock: str, *command: str) -> None:
    """Writes the record, lets go of the lock and becomes the command."""
    write(Path(record), {"pid": os.getpid(), "started": start_mark(os.getpid())})
    os.set_inheritable(int(lock), False)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
