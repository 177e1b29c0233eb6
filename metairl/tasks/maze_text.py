"""Mazes as text: # is a wall, . is free, S is the start and G the goal.

#####
#S.G#
#####
"""

FREE, WALL, START, GOAL = 0, 1, 2, 3
SIGNS = {".": FREE, "#": WALL, "S": START, "G": GOAL}

Map = list[list[int]]  # codes, row by row


def read_map(text: str) -> Map:
    """Parses and validates a map; raises a ValueError if it is no maze with a path from S to G."""
    lines = text.split()
    if any(len(line) != len(lines) for line in lines):
        raise ValueError("a map must have as many rows as columns")
    unknown = set("".join(lines)) - set(SIGNS)
    if unknown:
        raise ValueError(f"unknown character '{min(unknown)}', must be one of {' '.join(SIGNS)}")
    for sign in "SG":
        if text.count(sign) != 1:
            raise ValueError(f"a map must have one {sign}, found {text.count(sign)}")
    rows = [[SIGNS[sign] for sign in line] for line in lines]
    edge = [*rows[0], *rows[-1], *(row[0] for row in rows), *(row[-1] for row in rows)]
    if set(edge) != {WALL}:
        raise ValueError("all squares at the edge must be walls")
    if not _is_goal_reachable(rows):
        raise ValueError("no path leads from S to G")
    return rows


def _is_goal_reachable(rows: Map) -> bool:
    squares = {(i, j): code for i, row in enumerate(rows) for j, code in enumerate(row) if code != WALL}
    pending = [square for square, code in squares.items() if code == START]
    reached = set(pending)
    while pending:
        i, j = pending.pop()
        neighbours = {(i - 1, j), (i, j + 1), (i + 1, j), (i, j - 1)} & squares.keys() - reached
        reached |= neighbours
        pending += neighbours
    return any(squares[square] == GOAL for square in reached)
