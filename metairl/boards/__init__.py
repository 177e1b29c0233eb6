"""A leaderboard whose rows can be checked: submissions, their checks, standings and the page."""
