"""Runs the suites that meet the real SDK against the built wheel, on old and new versions of the SDK and of Python.

    python tools/matrix.py                              every version; `make matrix`
    python tools/matrix.py --brief                      one SDK of each line, and little of it elsewhere, as CI runs it
    python tools/matrix.py --only 0.40.0                one of them
    python tools/matrix.py --wheel FILE                 the tests of this tree, on a library that was built before
    python tools/matrix.py --only newest tests/e2e/...  these tests only

Rule: what is tested is the wheel, installed into an environment of its own, never the source tree. The environments
are kept in the user's cache, and set up anew when what is in them changes. Needs `uv` in the environment that runs it.

Rule: the two tests that run the whole catalogue of faults are longer than all the rest, and run where their answer may
differ: on one SDK of each line, `AGREEING`, and on this Python. The table says where. Every other test runs everywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anthropic-otel" / "matrix"
REQUIREMENTS = ROOT / "tests" / "requirements-matrix.txt"
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
SUITES = ("tests/adapters", "tests/contract", "tests/e2e")
BRIEF = SUITES[:2]
"""What `--brief` runs where another Python or OpenTelemetry is what varies."""
SDKS = ("0.40.0", "0.75.0", "0.107.1", "0.111.0", "0.125.0", "1.0.0", "1.13.0", "1.14.0", "2.0.0", "2.14.0")
CATALOGUE = ("tests/e2e/test_agreement.py", "tests/e2e/test_catalogue.py")
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
NEWEST = "newest"
AGREEING = ("0.40.0", "0.125.0", "1.0.0", "1.14.0", SDKS[-1], NEWEST)
"""The SDKs that stand for a line each: the oldest, the last on httpx, the first on httpx2, the first that traces,
and the newest."""
LOWEST_OTEL = ("1.30.0", "0.51b0")
"""The lowest OpenTelemetry that the library declares: the version of its API and SDK, and of its instrumentations."""
_NOT_HELD = re.compile(r"(anthropic|httpx|anthropic-otel)\b(?!-)")
"""What the constraints must not hold: it is what varies."""
_HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
_OF_OTEL = re.compile(r"(opentelemetry-|protobuf|googleapis-common-protos|grpcio|wrapt|importlib.metadata)")
"""What they must not hold either where OpenTelemetry is an old one: it wants older versions of these."""


@dataclass(frozen=True)
class Case:
    """One environment: a version of the SDK, or `newest`, on a Python, given as `3.11` and its interpreter.

    `otel` is `LOWEST_OTEL`, or `None` for the version that the constraints hold.
    """

    sdk: str
    python: str
    interpreter: str
    otel: tuple[str, str] | None = None

    @property
    def requirements(self) -> list[str]:
        """What is installed beside the wheel."""
        sdk = "anthropic[aiohttp,bedrock,vertex]" + ("" if self.sdk == NEWEST else f"=={self.sdk}")
        # 0.40 was made before httpx dropped the argument by which it passes a proxy on.
        return [sdk, "httpx<0.28" if self.sdk == "0.40.0" else "httpx", "h11", "trustme", *self._opentelemetry]

    @property
    def _opentelemetry(self) -> list[str]:
        if self.otel is None:
            return []
        api, contrib = self.otel
        return [
            *(f"opentelemetry-{name}=={api}" for name in ("api", "sdk", "exporter-otlp-proto-http")),
            *(f"opentelemetry-{name}=={contrib}" for name in ("distro", "instrumentation", "instrumentation-httpx")),
        ]

    @property
    def constraints(self) -> str:
        """The versions that everything else has."""
        lines = (line for line in CONSTRAINTS.read_text("utf-8").splitlines() if not _NOT_HELD.match(line))
        return "\n".join(line for line in lines if self.otel is None or not _OF_OTEL.match(line))

    @property
    def name(self) -> str:
        otel = f", OpenTelemetry {self.otel[0]}" if self.otel else ""
        return f"anthropic {self.sdk} on Python {self.python}{otel}"


@dataclass(frozen=True)
class Outcome:
    """How a case went: the closing line of pytest, or what went wrong before it."""

    case: Case
    passed: bool
    summary: str
    seconds: float
    output: str


def main() -> int:
    """Runs every case, prints a table of them, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="SDK", help="a version of the SDK, or 'newest'")
    parser.add_argument("--brief", action="store_true", help="what CI runs: less than half of it")
    parser.add_argument("--wheel", type=Path, help="the wheel to test; without one, it is built")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="how many run at once")
    parser.add_argument("tests", nargs="*", default=SUITES, help="what pytest runs instead of the usual suites")
    options = parser.parse_args()
    cases = [case for case in _cases(_pythons()) if not options.only or case.sdk in options.only]
    if options.brief:
        cases = [case for case in cases if case.sdk in AGREEING]
    with tempfile.TemporaryDirectory() as scratch:
        wheel = options.wheel or _build(Path(scratch))
        with ThreadPoolExecutor(options.jobs) as pool:
            outcomes = list(pool.map(lambda case: _run(case, wheel.resolve(), _tests_of(case, options)), cases))
    _print_table(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) and outcomes else 1


def _tests_of(case: Case, options: argparse.Namespace) -> Sequence[str]:
    return BRIEF if options.brief and not _agrees(case) else options.tests


def _pythons() -> dict[str, str]:
    """The interpreter of each supported version of Python that is here. Says which are not."""
    found = dict(_interpreters())
    found.setdefault(_HERE, sys.executable)
    missing = [version for version in PYTHONS if version not in found]
    if missing:
        print(f"Not on this machine: Python {', '.join(missing)}", flush=True)
    return {version: found[version] for version in PYTHONS if version in found}


def _cases(pythons: Mapping[str, str]) -> list[Case]:
    """Every version of the SDK on this Python; and on it the newest with the lowest OpenTelemetry.

    On every other Python the newest; and on the lowest one the oldest too.
    """
    others = {version: interpreter for version, interpreter in pythons.items() if version != _HERE}
    lowest = next(iter(pythons))
    return [
        *(Case(sdk, _HERE, pythons[_HERE]) for sdk in (*SDKS, NEWEST)),
        Case(NEWEST, _HERE, pythons[_HERE], LOWEST_OTEL),
        *([Case(SDKS[0], lowest, others[lowest])] if lowest in others else []),
        *(Case(NEWEST, version, interpreter) for version, interpreter in others.items()),
    ]


def _interpreters() -> Iterator[tuple[str, str]]:
    """Each supported version of Python that the machine has, with its interpreter."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in PYTHONS:
        installed = sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)
        on_path = shutil.which(f"python{version}")
        for candidate in (*map(str, installed), *([on_path] if on_path else [])):
            if _version_of(candidate) == version:
                yield version, candidate
                break


def _version_of(interpreter: str) -> str | None:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    result = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else None


def _build(directory: Path) -> Path:
    """Builds the wheel, from the source tree as it is."""
    _uv("build", "--wheel", "--quiet", "--out-dir", str(directory), str(ROOT))
    return next(directory.glob("*.whl"))


def _run(case: Case, wheel: Path, tests: Sequence[str]) -> Outcome:
    began = time.monotonic()
    try:
        python = _environment(case)
        newest = case.sdk == NEWEST and case.python == _HERE and case.otel is None
        if newest and _sdk_in(python) == SDKS[-1] and tests is SUITES:
            return Outcome(case, True, f"is {SDKS[-1]}", time.monotonic() - began, "")
        _uv("pip", "install", "-q", "-p", str(python), "--reinstall", "--no-deps", str(wheel))
        marks = "not slow" if _whole(case) else "not slow and not without_sdk"
        passed, output = _tested(python, marks, [*tests, *_left_out(case, tests)])
    except subprocess.CalledProcessError as error:
        passed, output = False, f"{error}\n{error.stdout or ''}\n{error.stderr or ''}"
    outcome = Outcome(case, passed, _summary(output), time.monotonic() - began, output)
    failed = [] if passed else re.findall(r"^(?:FAILED|ERROR) .*", output, re.MULTILINE)
    print(f"{case.name}: {outcome.summary}", *failed, sep="\n  ", flush=True)
    return outcome


def _whole(case: Case) -> bool:
    """Whether those tests run too that need no SDK: where more than its version varies, and on the last one."""
    return case.sdk in (NEWEST, SDKS[-1])


def _left_out(case: Case, tests: Sequence[str]) -> list[str]:
    """What tells pytest to leave the catalogue out, if this case does not stand for a line. Not if tests are named."""
    return [] if tests is not SUITES or _agrees(case) else [f"--ignore={path}" for path in CATALOGUE]


def _agrees(case: Case) -> bool:
    return case.sdk in AGREEING and case.python == _HERE and case.otel is None


def _tested(python: Path, marks: str, tests: Sequence[str]) -> tuple[bool, str]:
    """Whether the tests passed, and what pytest printed."""
    result = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks, *tests],
        cwd=ROOT,
        # Where nothing is compiled for good, every command that a test starts compiles all that it imports.
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode == 0, result.stdout + result.stderr


def _sdk_in(python: Path) -> str:
    code = "import anthropic; print(anthropic.__version__)"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _summary(output: str) -> str:
    """The closing line of pytest, without its time."""
    found = re.findall(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s", output, re.MULTILINE)
    return found[-1] if found else "did not run"


def _environment(case: Case) -> Path:
    """The interpreter of the environment of a case, which is made if there is none with these contents."""
    constraints = case.constraints
    contents = "\n".join([case.sdk, case.interpreter, *case.requirements, REQUIREMENTS.read_text(), constraints])
    if case.sdk == NEWEST:
        contents += time.strftime("%Y-%m-%d")  # so that a new release is seen within a day
    directory = CACHE / f"{case.sdk}-py{case.python}{f'-otel{case.otel[0]}' if case.otel else ''}"
    python, mark = directory / "bin" / "python", directory / "contents"
    digest = hashlib.sha256(contents.encode()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        _uv("venv", "-q", "-p", case.interpreter, str(directory))
        held = directory / "constraints.txt"
        held.write_text(constraints)
        packages = ("-r", str(REQUIREMENTS), *case.requirements)
        _uv("pip", "install", "-q", "--compile-bytecode", "-p", str(python), "-c", str(held), *packages)
        mark.write_text(digest)
    return python


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True, capture_output=True, text=True)


def _print_table(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if not outcome.passed:
            print(f"\n--- {outcome.case.name}\n{outcome.output[-20_000:]}")
    print(f"\n{'anthropic':<10} {'Python':<7} {'OTel':<7} {'result':<7} {'catalogue':<9} {'seconds':>7}  tests")
    for outcome in outcomes:
        word = "passed" if outcome.passed else "FAILED"
        case, otel = outcome.case, outcome.case.otel[0] if outcome.case.otel else ""
        agreement = "yes" if _agrees(case) else "left out"
        cells = f"{case.sdk:<10} {case.python:<7} {otel:<7} {word:<7} {agreement:<9} {outcome.seconds:>7.0f}"
        print(f"{cells}  {outcome.summary}")
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"\nmatrix: {passed} passed, {len(outcomes) - passed} failed")


if __name__ == "__main__":
    sys.exit(main())
