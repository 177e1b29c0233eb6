"""Mutation testing (DeMillo et al. 1978): small faults are put into the code, one at a time, and the tests
that should notice are run. A mutant that no test kills is a statement that nothing checks.

    python benchmarks/mutation/mutate.py --sample 200 --jobs 2 --out survivors.md

Mutants are drawn with a fixed seed from the modules in `SCOPE`. Each is tried in a copy of the package, first
by the test file that mirrors its module, then by the other test files that import it, until one fails.
"""

import argparse
import ast
import multiprocessing
import multiprocessing.pool
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCOPE = ("agents", "rewards", "core/losses.py", "evaluation/protocol.py")
SECONDS = 150  # of tests for one mutant; one that runs out of time counts as killed only if its tests hang
OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
METHODS = {"amin": "amax", "amax": "amin", "sum": "mean", "mean": "sum", "argmax": "argmin", "exp": "log1p"}
DROPPED = ("detach", "clamp", "clamp_", "square", "abs")  # calls that are left out: x.detach() -> x


@dataclass(frozen=True)
class Mutant:
    module: Path  # below the repository
    line: int
    what: str
    source: str  # of the whole module


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of a module, one change each."""
    tree = ast.parse(path.read_text())
    for number, node in enumerate(ast.walk(tree)):
        for what, change in changes_of(node):
            mutated = deepcopy(tree)
            twin = next(found for index, found in enumerate(ast.walk(mutated)) if index == number)
            mutated = Replaced(twin, change(twin)).visit(mutated)
            source = ast.unparse(ast.fix_missing_locations(mutated))
            yield Mutant(path.relative_to(ROOT), getattr(node, "lineno", 0), what, source)


class Replaced(ast.NodeTransformer):
    """One node of a tree put in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


Change = Callable[[Any], ast.AST]


def changes_of(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """What may be changed in a node: a name for it, and the node that takes its place."""
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
            yield _named(op), lambda n: _with(n, op=OPERATORS[type(n.op)]())
        case ast.Compare(ops=[op]) if type(op) in OPERATORS:
            yield _named(op), lambda n: _with(n, ops=[OPERATORS[type(n.ops[0])]()])
        case ast.Call(func=ast.Attribute(attr=name)) if name in METHODS:
            yield (
                f".{name}() -> .{METHODS[name]}()",
                lambda n: _with(n, func=_with(n.func, attr=METHODS[name])),
            )
        case ast.Call(func=ast.Attribute(attr=name)) if name in DROPPED:
            yield f".{name}() left out", lambda n: n.func.value
        case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield "-x -> x", lambda n: n.operand
        case ast.IfExp():
            yield "branches of a conditional swapped", lambda n: _with(n, body=n.orelse, orelse=n.body)


def _named(op: ast.AST) -> str:
    return f"{type(op).__name__} -> {OPERATORS[type(op)].__name__}"


def _with(node: Any, **fields: Any) -> Any:
    changed = copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def tests_of(module: Path) -> list[str]:
    """Test files that should notice: the mirror of the module first, then the others that import it."""
    inside = module.relative_to("metairl")
    mirror = ROOT / "tests" / inside.parent / f"test_{inside.stem}.py"
    dotted = ".".join(module.with_suffix("").parts)
    package, _, name = dotted.rpartition(".")
    others = [
        path
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if path != mirror and _imports(path.read_text(), package, name)
    ]
    contracts = sorted((ROOT / "tests" / "contracts").glob("test_methods*.py"))
    nearer = sorted(others, key=lambda path: (path.parent != mirror.parent, path.stat().st_size))
    found = [*([mirror] if mirror.exists() else []), *nearer, *(c for c in contracts if c not in nearer)]
    return [str(path.relative_to(ROOT)) for path in found]


def _imports(text: str, package: str, name: str) -> bool:
    direct = f"from {package}.{name} import" in text
    parent = text.partition(f"from {package} import ")[2].partition("\nfrom ")[0]
    return direct or name in parent.replace("(", " ").replace(",", " ").split()


def survives(mutant: Mutant) -> bool:
    """Whether all tests pass, in a process of its own with the mutated package first on its path."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        shutil.copytree(ROOT / "metairl", tree / "metairl", ignore=shutil.ignore_patterns("__pycache__"))
        for data in ("tasks", "benchmarks", "results", "tests", "docs", "pyproject.toml", "README.md"):
            (tree / data).symlink_to(ROOT / data)
        (tree / mutant.module).write_text(mutant.source)
        for file in tests_of(mutant.module):
            process = multiprocessing.get_context("fork").Process(target=_run, args=(tree, file))
            process.start()
            process.join(SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
                return False  # it hangs
            if process.exitcode not in (0, 5):  # 5: no test of this file runs by default
                return False
    return True


def _run(tree: Path, file: str) -> None:
    os.chdir(tree)
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path[:] = [str(tree), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    import pytest

    words = ["-x", "-q", "-m", "not slow and not browser and not learning", "-p", "no:cacheprovider"]
    os._exit(int(pytest.main([*words, "--rootdir", str(tree), file])))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=200, help="mutants to try")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--scope", nargs="*", default=SCOPE, help="folders and modules below metairl/")
    parser.add_argument("--out", type=Path, help="a file for the survivors")
    args = parser.parse_args()
    paths = [ROOT / "metairl" / part for part in args.scope]
    modules = sorted(file for path in paths for file in ([path] if path.suffix else path.rglob("*.py")))
    every = [mutant for module in modules for mutant in mutants_of(module)]
    drawn = random.Random(args.seed).sample(every, min(args.sample, len(every)))
    print(f"{len(every)} mutants of {len(modules)} modules, {len(drawn)} tried", flush=True)
    import torch  # noqa: F401 - loaded once, for all forks

    began, survivors = time.monotonic(), []
    with multiprocessing.pool.ThreadPool(args.jobs) as pool:
        for number, (mutant, alive) in enumerate(pool.imap_unordered(_tried, drawn), start=1):
            if alive:
                survivors.append(mutant)
                print(f"survived: {mutant.module}:{mutant.line} {mutant.what}", flush=True)
            if number % 20 == 0:
                done = number - len(survivors)
                print(f"{done} of {number} killed, {time.monotonic() - began:.0f} s", flush=True)
    killed = len(drawn) - len(survivors)
    print(f"{killed} of {len(drawn)} killed: {killed / len(drawn):.1%}")
    if args.out:
        lines = [f"- `{m.module}:{m.line}` {m.what}" for m in sorted(survivors, key=lambda m: str(m.module))]
        args.out.write_text("\n".join([f"{killed} of {len(drawn)} killed", "", *lines, ""]))
    return 0


def _tried(mutant: Mutant) -> tuple[Mutant, bool]:
    return mutant, survives(mutant)


if __name__ == "__main__":
    sys.exit(main())
