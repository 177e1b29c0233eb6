"""A tiny run of every kind of method: what the kill drill is of. Words of `metairl train`."""

from pathlib import Path

OFF_POLICY = "--recipe.tasks 12 --recipe.trials 4 --recipe.ratio 0.02 --recipe.batch-tasks 4 --recipe.batch 8"
ASKS = (
    "--recipe.queries.labels 40 --recipe.queries.session 7 "
    "--recipe.queries.gradient-steps 5 --recipe.queries.length 5"
)
LOGS = "--recipe.batch-tasks 4 --recipe.batch 4 --recipe.context 8"
MODEL = "--recipe.rollouts 40 --recipe.rounds 20 --recipe.model.hidden 8 --recipe.model.epochs 2"
LATER = "--adapt.tasks 2 --adapt.points 3"
ALONE = "--adapt.steps 300 --alone.batch 8"
AGAINST = "--recipe.trials 16 --recipe.rounds 2 --recipe.batch-trials 4"
FEW = "--recipe.queries.labels 20 --recipe.queries.gradient-steps 5"
EACH = "--recipe.trials 8 --recipe.each 2"
GOALS = "--recipe.tasks 16 --recipe.first-rounds 5"
REWARD = "--recipe.reward-steps 5 --recipe.reward-hidden 8 --recipe.threshold 5.0"
SHOWN = "point-robot:data=expert,demos=2"
CHART = "random-mdp:data=expert,demos=2"
LOGGED = "point-robot:data=replay"

KINDS: dict[str, str] = {
    "on-policy": "rl2 drill-bandit --steps 3000 --recipe.trials 16",
    "on-policy, attentive": "snail drill-bandit --steps 4000 --recipe.trials 32",
    "on-policy, tabular": "rl2 tabular-mdp:episodes=2 --steps 4000 --recipe.trials 16",
    "on-policy, physics": "ppo drill-cheetah --steps 4000 --recipe.trials 16",
    "weights of their own": "maml point-robot --steps 8000 --recipe.trials 16",
    "off-policy": f"sac point-robot --steps 4000 {OFF_POLICY}",
    "off-policy, inferring": f"pearl point-robot --steps 3000 {OFF_POLICY} --recipe.context 5",
    "off-policy, remembering": f"rl2-sac point-robot --steps 3000 {OFF_POLICY}",
    "learning on": f"sac point-robot --regime fine-tune --steps 3000 {OFF_POLICY} {LATER} {ALONE}",
    "from scratch": f"sac point-robot --regime scratch {LATER} --adapt.steps 600 --alone.batch 8",
    "offline": f"bc {LOGGED} --steps 800 {LOGS}",
    "offline, inferring": f"iql {LOGGED} --encoder pearl --steps 800 {LOGS}",
    "offline, alone": f"td3-bc {LOGGED} --regime scratch {LATER} {ALONE}",
    "learned world": f"mopo {LOGGED} --steps 200 {LOGS} {MODEL}",
    "comparisons": "preferences point-robot:episodes=1 --steps 3000 --recipe.trials 8 --recipe.each 2 "
    + ASKS,
    "comparisons, kept": f"preferences-sac point-robot:episodes=1 --steps 3000 {OFF_POLICY} {ASKS}",
    "comparisons, of logs": f"preferences-iql {LOGGED} --steps 600 {LOGS} {FEW}",
    "principles": f"rlaif point-robot:episodes=1 --steps 3000 {EACH} {ASKS}",
    "examples of success": f"vice point-maze:examples=5 --steps 8000 {AGAINST} {GOALS}",
    "goals, proposed": "self-play point-maze --steps 8000 --recipe.trials 16",
    "goals, drawn": "uniform-goals point-maze --steps 8000 --recipe.trials 16",
    "goals, in hindsight": "visited-goals point-maze --steps 8000 --recipe.trials 16",
    "goals, of logs": f"gc-iql {LOGGED} --steps 800 --recipe.batch-tasks 4 --recipe.batch 4",
    "goals, then labels": f"gc-iql {LOGGED},labels=20 --regime fine-tune --steps 400 {LATER} {ALONE}",
    "imitation, pooled": f"bc-demos {SHOWN} --encoder none --steps 800 {LOGS}",
    "imitation, inferring": f"pi-v {SHOWN} --encoder pearl --steps 800 {LOGS}",
    "imitation, beside demos": f"iq-learn-online {SHOWN} --steps 3000 {OFF_POLICY} --recipe.context 5",
    "imitation, alone": f"bc-demos {SHOWN} --regime scratch {LATER} {ALONE}",
    "adversarial": f"gail {SHOWN} --steps 8000 {AGAINST}",
    "adversarial, guided": f"gcl {SHOWN} --steps 8000 {AGAINST}",
    "conservative": f"clare {SHOWN} --steps 200 {LOGS} {MODEL} {REWARD}",
    "inverse": f"maxent-irl {CHART}",
    "inverse, prior": f"deep-maxent {CHART} --regime meta --steps 120 --recipe.rounds 5 --learner.rounds 3",
    "computed": "psrl tabular-mdp:episodes=4",
}

CARDS = {
    "drill-cheetah-v1": """
id = "drill-cheetah-v1"
title = "A half-cheetah for a moment"
world = "locomotion"
horizon = 10
episodes = 2
objective = "trial"
reports_success = false
source = "tests"
tags = []
physics = { body = "half-cheetah", aim = "velocity", control = 0.05 }
parameters.velocity = { law = "uniform", low = 0.0, high = 3.0, shape = [1] }
split = { train = "endless", validation = 4, test = 4 }
""",
    "drill-bandit-v1": """
id = "drill-bandit-v1"
title = "A bandit that is judged on a few tasks"
world = "bandit"
horizon = 10
episodes = 1
objective = "trial"
reports_success = false
source = "tests"
tags = []
parameters.arm_means = { law = "uniform", low = 0.0, high = 1.0, shape = [5] }
split = { train = "endless", validation = 50, test = 50 }
""",
}


def write_cards(shelf: Path) -> None:
    """Where METAIRL_PATH may point."""
    (shelf / "tasks").mkdir(parents=True)
    for name, text in CARDS.items():
        (shelf / "tasks" / f"{name}.toml").write_text(text)
