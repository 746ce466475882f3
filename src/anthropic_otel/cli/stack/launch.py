"""Records its own process in a file, then becomes another program: `launch.py RECORD LOCK PROGRAM [ARGUMENT ...]`.

The process that starts a program could be killed before it has recorded that. So the new process writes the file RECORD
itself. Until then it holds the stack's lock by the descriptor LOCK, which it inherits. The other modules use the
functions `start_id` and `write` too.

Rule: it uses the standard library only and nothing of this package, because it runs as a script before each program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_PROC = Path("/proc")


def start_id(pid: int) -> str | None:
    """Returns a text that identifies the start of the process with that number; `None` if it has ended.

    A zombie counts as ended. A later process with the same number has another text. Without `/proc`, runs `ps`.
    """
    if (_PROC / "self" / "stat").exists():
        return _linux_start_id(pid)
    asked = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    words = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout.split()
    return " ".join(words[1:]) if words and not words[0].startswith("Z") else None


def _linux_start_id(pid: int) -> str | None:
    """Returns the id of the boot, a blank, and the process's start in clock ticks since the boot.

    `None` if the process has ended. Uses no wall clock, which may be set, and no `ps`, which a container may not have.
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
    """Writes `value` as JSON to `path` atomically: a reader never finds a part of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value))
    os.replace(part, path)


def main(record: str, lock: str, *command: str) -> None:
    """Writes this process's number and start id to the file `record`, and replaces this process by `command`.

    The descriptor whose number is `lock` is closed by that, so that the process does not hold the lock any longer.
    Exits with a message and status 1 if the command cannot be run.
    """
    write(Path(record), {"pid": os.getpid(), "started": start_id(os.getpid())})
    os.set_inheritable(int(lock), False)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
