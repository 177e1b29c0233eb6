"""Standings as a board might have them: made up, but with every case that a page must show."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from metairl.boards.standings import Curve, Made, Standing, Standings, Tier
from metairl.core.arrays import Floats
from metairl.evaluation.statistics import Interval
from metairl.tasks import catalogue
from metairl.tasks.cards import BoardCard

METHODS = (  # slug, name, family, encoder, support, how good, seeds
    ("scripted", "Scripted policies", "scripted", None, "none", 0.93, 10),
    ("pearl", "PEARL", "meta-RL", "pearl", "trial", 0.74, 5),
    ("rl2", "RL² with a GRU", "meta-RL", "gru", "trial", 0.73, 5),
    ("snail", "SNAIL", "meta-RL", "snail", "trial", 0.66, 4),
    ("maml", "MAML", "meta-RL", None, "trial", 0.52, 5),
    ("fomaml", "first-order MAML", "meta-RL", None, "trial", 0.5, 3),
    ("sac-heads", "SAC, multi-head", "multi-task", "one-hot", "none", 0.45, 5),
    ("bc-demos+pearl", "Cloning from demonstrations", "imitation", "pearl", "demos", 0.41, 5),
    ("iq-learn", "IQ-Learn", "imitation", "gru", "demos", 0.36, 2),
    ("gail", "GAIL", "imitation", None, "demos", 0.29, 3),
    ("zero", "Zero actions", "scripted", None, "none", 0.02, 10),
    ("random", "Random actions", "scripted", None, "none", -0.03, 10),
)
TIERS: tuple[Tier, ...] = ("self", "checked", "rerun")


def small() -> Standings:
    """A row of every kind on five columns; one has two empty cells and so no rank."""
    board = catalogue.boards()["ml10"]
    rows = [row_of(board, index) for index in range(len(METHODS))]
    holed = rows[9]
    missing = [column.name for column in board.columns][-2:]
    rows[9] = replace(
        holed,
        aggregate=None,
        cells=holed.cells | dict.fromkeys(missing),
        scores={name: seeds for name, seeds in holed.scores.items() if name not in missing},
    )
    return ranked(board, rows)


def wide() -> Standings:
    """Fifty columns."""
    board = catalogue.boards()["mt50"]
    return ranked(board, [row_of(board, index) for index in range(len(METHODS))])


def bare(standings: Standings) -> Standings:
    """Without curves, which take their time to draw."""
    return Standings(standings.board, [replace(row, curves=[]) for row in standings.rows])


def many(number: int) -> Standings:
    board = catalogue.boards()["ml10"]
    rows = [row_of(board, index) for index in range(number)]
    return bare(ranked(board, rows))


def nobody() -> Standings:
    return Standings(catalogue.boards()["mazes"], [])


def row_of(board: BoardCard, index: int) -> Standing:
    slug, name, family, encoder, support, good, seeds = METHODS[index % len(METHODS)]
    again = index // len(METHODS)
    rng = np.random.default_rng([index, len(board.columns)])
    level = good - 0.4 * rng.random() if again else good
    scores = {column.name: _scores(rng, level, seeds) for column in board.columns}
    cells: dict[str, Interval | None] = {
        column: interval(found, board.seeds) for column, found in scores.items()
    }
    steps = (1 + index % 4) * 2_500_000
    return Standing(
        slug=f"{slug}-{again}" if again else slug,
        name=f"{name}, {again}" if again else name,
        family=family,
        encoder=encoder,
        support=support,
        authors=["A. N. Author", "Søren Ærøskøbing"],
        description=f"{name} as the project has it, with settings found on validation tasks.",
        url=f"https://example.org/code/{slug}" if index % 3 else None,
        paper="https://example.org/abs/1611.02779" if index % 2 else "Finn et al. 2017, arXiv:1703.03400",
        licence="MIT",
        date=date(2026, 3, 1) + timedelta(days=index * 5 % 97),
        digest=f"{index:08x}" * 8,
        tier=TIERS[index % 3],
        rank=None,
        aggregate=interval(np.concatenate(list(scores.values())), board.seeds, seeds),
        cells=cells,
        scores=scores,
        curves=[_curve(column.name, level, steps) for column in board.columns],
        runs=[_made(board, slug, seed, steps) for seed in range(seeds)],
    )


def ranked(board: BoardCard, rows: list[Standing]) -> Standings:
    """Best first; rows whose intervals overlap share places."""
    full = sorted((row for row in rows if row.aggregate), key=lambda row: -_aggregate(row).value)
    placed = [replace(row, rank=_places(row, full)) for row in full]
    return Standings(board, [*placed, *(row for row in rows if row.aggregate is None)])


def interval(scores: Floats, fewest: int, seeds: int | None = None) -> Interval:
    half = 1.96 * float(scores.std()) / float(np.sqrt(scores.size))
    mean, number = float(scores.mean()), scores.size if seeds is None else seeds
    if number < fewest:
        return Interval(mean, float("nan"), float("nan"), number, 50)
    return Interval(mean, mean - half, mean + half, number, 50)


def _aggregate(row: Standing) -> Interval:
    assert row.aggregate
    return row.aggregate


def _places(row: Standing, rows: list[Standing]) -> tuple[int, int]:
    mine = _aggregate(row)
    others = [_aggregate(other) for other in rows]
    above = sum(_end(other.low, other) > _end(mine.high, mine) for other in others)
    below = sum(_end(other.high, other) < _end(mine.low, mine) for other in others)
    return 1 + above, len(rows) - below


def _end(bound: float, around: Interval) -> float:
    return around.value if np.isnan(bound) else bound


def _scores(rng: np.random.Generator, level: float, seeds: int) -> Floats:
    return 100 * np.clip(level + rng.normal(0, 0.15) + rng.normal(0, 0.05, seeds), -0.2, 1.1)


def _curve(column: str, level: float, steps: int) -> Curve:
    moments = np.linspace(0, steps, 12)
    return Curve(column, moments, 100 * level * (1 - np.exp(-4 * moments / steps)))


def _made(board: BoardCard, slug: str, seed: int, steps: int) -> Made:
    task = board.columns[0].task
    return Made(
        path=f"runs/{slug}/seed-{seed}",
        task=task,
        seed=seed,
        steps=steps,
        versions={"metairl": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6", "mujoco": "4.0.0"},
        hardware="8 × x86-64, 32 GiB",
        commit="0123456789abcdef0123456789abcdef01234567",
        command=f"metairl train {slug} {task} --seed {seed} --steps {steps}",
    )
