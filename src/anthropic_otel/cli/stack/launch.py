"""Records the process that runs it, then becomes another program: `launch.py RECORD LOCK PROGRAM [ARGUMENT ...]`.

If the starter wrote the record, a starter that is killed right after starting a process would leave none. So the
process writes the file RECORD itself. Until then it keeps the stack's lock, whose descriptor LOCK it inherits.

Rule: it uses the standard library only and nothing of this package, because it runs as a script before every part.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_PROC = Path("/proc")


def start_mark(pid: int) -> str | None:
    """Returns a text that identifies when a process started; `None` if the process has ended.

    No two processes with the same number have the same text.
    """
    if (_PROC / "self" / "stat").exists():
        return _linux_start_mark(pid)
    asked = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    told = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout.split()
    return " ".join(told[1:]) if told and not told[0].startswith("Z") else None


def _linux_start_mark(pid: int) -> str | None:
    """Returns the id of the boot, and the process's start in clock ticks since then; `None` if it has ended.

    The wall clock may be set, and a container may have no `ps`.
    """
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
    """Writes a value as JSON atomically: a reader finds the whole file, or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value))
    os.replace(part, path)


def main(record: str, lock: str, *command: str) -> None:
    """Writes the record, releases the lock and replaces this process by the command.

    Exits with a message if that fails.
    """
    write(Path(record), {"pid": os.getpid(), "started": start_mark(os.getpid())})
    os.set_inheritable(int(lock), False)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
