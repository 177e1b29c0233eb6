"""Distributions of task parameters: what their schemas reject."""

import re

import pytest
from pydantic import ValidationError

from metairl.tasks.distributions import SkillGoals


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_misspelt_skill_of_a_card_is_named(split: str) -> None:
    skills = {"train": ["push-v3"], "test": ["push-v3"]} | {split: ["push-v3", "raech-v3"]}
    message = re.escape("unknown skill 'raech-v3'; did you mean 'reach-v3'?")
    with pytest.raises(ValidationError, match=message):
        SkillGoals(law="skill-goals", **skills)
