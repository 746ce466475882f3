"""Runs at the start of every Python that `anthropic-otel run` has started: its folder is on PYTHONPATH.

Rule: it belongs to no environment, so any Python 3 must be able to run it, without the library too, and it imports next
to nothing. It waits for the app to import the SDK or an HTTP client, and gives way to the app's own `sitecustomize`.
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
    """Finds the modules that are waited for, by the finders after it, and has them tell when they are imported."""

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
    """Loads a module as the loader that it stands for, and is gone from the module before its first line runs."""

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
    """The app has imported a module that is waited for."""
    try:
        try:
            from anthropic_otel._live.follow import follow
        except ImportError:
            if name == "anthropic":
                _tell_missing(target)
        else:
            follow(target, name)
    except Exception:
        # Whatever it is, the app goes on, and is not seen.
        pass


def _tell_missing(target: str) -> None:
    """Says that this Python has the SDK and not the library."""
    import _socket
    import json

    host, port, token = target.split(":")
    if host != "127.0.0.1":
        return
    python = ".".join(str(part) for part in sys.version_info[:3])
    told = {"type": "missing", "token": token, "pid": os.getpid(), "python": python, "executable": sys.executable}
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        connection.settimeout(0.5)
        connection.connect((host, int(port)))
        connection.sendall((json.dumps(told) + "\n").encode("ascii"), getattr(_socket, "MSG_NOSIGNAL", 0))
    finally:
        connection.close()


def _give_way() -> None:
    """Takes this folder off the path, and runs the `sitecustomize` that Python would have run."""
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
