"""Mazes as people draw them: # is wall, . is free, S is the start and G the goal.

#####
#S.G#
#####
"""

FREE, WALL, START, GOAL = 0, 1, 2, 3
SIGNS = {".": FREE, "#": WALL, "S": START, "G": GOAL}

Map = list[list[int]]


def read_map(text: str) -> Map:
    """Its codes, row by row; a ValueError says why nobody could walk in it."""
    lines = text.split()
    if any(len(line) != len(lines) for line in lines):
        raise ValueError("a map must have as many rows as columns")
    unknown = set("".join(lines)) - set(SIGNS)
    if unknown:
        raise ValueError(f"'{min(unknown)}' is none of {' '.join(SIGNS)}")
    for sign in "SG":
        if text.count(sign) != 1:
            raise ValueError(f"a map has one {sign}, not {text.count(sign)}")
    drawn = [[SIGNS[sign] for sign in line] for line in lines]
    edge = [*drawn[0], *drawn[-1], *(row[0] for row in drawn), *(row[-1] for row in drawn)]
    if set(edge) != {WALL}:
        raise ValueError("there must be wall all around")
    if not _leads_to_goal(drawn):
        raise ValueError("no way leads from S to G")
    return drawn


def _leads_to_goal(drawn: Map) -> bool:
    squares = {(i, j): code for i, row in enumerate(drawn) for j, code in enumerate(row) if code != WALL}
    pending = [square for square, code in squares.items() if code == START]
    reached = set(pending)
    while pending:
        i, j = pending.pop()
        near = {(i - 1, j), (i, j + 1), (i + 1, j), (i, j - 1)} & squares.keys() - reached
        reached |= near
        pending += near
    return any(squares[square] == GOAL for square in reached)
