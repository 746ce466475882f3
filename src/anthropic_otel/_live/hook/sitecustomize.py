"""Runs at the start of each Python below `anthropic-otel run`, because its folder is first on PYTHONPATH there.

If the environment variable `ANTHROPIC_OTEL_RUN` is set, it installs an import hook, which calls `follow` whenever the
SDK, httpx or httpx2 has been imported. In any case it then imports the app's own `sitecustomize`, if there is one.
Rule: it must run on any Python 3, also without our library installed, and imports next to nothing.
"""

from __future__ import annotations

import os
import sys

MYPY = False
if MYPY:
    # At run time it would cost every Python that starts.
    from typing import Any

_VARIABLE = "ANTHROPIC_OTEL_RUN"
_LIBRARIES = ("anthropic", "httpx", "httpx2")


class _Finder:
    """A `sys.meta_path` finder for the modules in `_LIBRARIES`: the SDK and the HTTP clients. Ignores all others.

    It asks the other finders for the module. If the loader that they find has `exec_module`, it puts a `_Loader` in its
    place, which calls `follow` once the module's code has run.
    """

    def __init__(self, target: str) -> None:
        self.target = target

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _LIBRARIES:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if finder is not self and find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self.target)
                return spec
        return None


class _Loader:
    """Wraps a module's loader, and calls `_imported` after the module's code has run.

    `exec_module` puts the original loader back into the module before it runs that code, so the code never sees this
    wrapper.
    """

    def __init__(self, loader: Any, target: str) -> None:
        self._loader = loader
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create is not None else None

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _imported(module.__name__, self._target)


def _imported(name: str, target: str) -> None:
    """Calls `follow` for the module `name`, whose code has just run, so that this process sends events.

    If our library cannot be imported here, does nothing, but sends the `run` at `target` a message that says so if
    `name` is the SDK. Raises no `Exception`.
    """
    try:
        try:
            from anthropic_otel._live.follow import follow
        except ImportError:
            if name == "anthropic":
                _tell_missing(target)
        else:
            follow(target, name)
    except Exception:
        # The app must go on, even if its calls are not shown.
        pass


def _tell_missing(target: str) -> None:
    """Sends the `run` at `target`, `127.0.0.1:PORT:TOKEN`, a message that this Python has the SDK but not our library.

    Does nothing if the host is another one. Raises `OSError` if it cannot connect or send, each within half a second,
    and `ValueError` or `OverflowError` for a malformed `target`.
    """
    import _socket
    import json

    host, port, token = target.split(":")
    if host != "127.0.0.1":
        return
    python = ".".join(str(part) for part in sys.version_info[:3])
    message = {"type": "missing", "token": token, "pid": os.getpid(), "python": python, "executable": sys.executable}
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        connection.settimeout(0.5)
        connection.connect((host, int(port)))
        connection.sendall((json.dumps(message) + "\n").encode("ascii"), getattr(_socket, "MSG_NOSIGNAL", 0))
    finally:
        connection.close()


def _give_way() -> None:
    """Removes this folder from `sys.path`, and imports the `sitecustomize` that Python would have imported without it.

    If there is none, this module stays the imported one. Raises what that module's code raises.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


if os.environ.get(_VARIABLE):
    sys.meta_path.insert(0, _Finder(os.environ[_VARIABLE]))
_give_way()
