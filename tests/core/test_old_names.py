"""Names of earlier versions, in run files, records and checkpoints."""

import torch

from metairl.core.old_names import OLD_METHODS, renamed_record, renamed_run, renamed_state


def test_a_regime_is_split_from_a_method_s_name() -> None:
    run = renamed_run({"method": "iql-alone", "encoder": "none", "config": {"learner": {"gamma": 0.9}}})
    assert (run["method"], run["regime"], run["config"]) == ("iql", "scratch", {"learner": {"gamma": 0.9}})
    assert "variant" not in run


def test_a_setting_that_was_a_name_is_said_and_marked() -> None:
    run = renamed_run({"method": "clare-equal", "encoder": "none", "config": {"recipe": {"rounds": 5}}})
    assert run["method"] == "clare" and run["variant"] == {"recipe.scheme": "equal"}
    assert run["config"] == {"recipe": {"rounds": 5, "scheme": "equal"}}


def test_a_run_s_own_settings_come_before_what_its_name_meant() -> None:
    inner = {"recipe": {"ask": {"choose": "disagreement", "labels": 7}}}
    run = renamed_run({"method": "preferences-sac-uniform", "encoder": "oracle", "config": inner})
    assert run["config"]["recipe"]["queries"] == {"selection": "disagreement", "labels": 7}


def test_an_encoder_that_became_a_setting() -> None:
    run = renamed_run({"method": "ppo", "encoder": "rl2-lstm", "config": {"encoder": {"width": 8}}})
    assert run["encoder"] == "rl2" and run["config"]["encoder"] == {"cell": "lstm", "width": 8}


def test_settings_under_old_keys_and_values() -> None:
    old = {
        "encoder": {"paid": True, "latent": 3},
        "learner": {"value": "shown"},
        "recipe": {"surgery": False},
    }
    config = renamed_run({"method": "sac", "encoder": "pearl", "config": old})["config"]
    assert config["encoder"] == {"ignore_zero_reward": True, "latent": 3}
    assert config["learner"] == {"value": "demos"} and config["recipe"] == {"pcgrad": False}


def test_settings_of_irl_under_old_keys() -> None:
    old = {"learner": {"rate": 0.1, "acts": "mixture"}, "recipe": {"rate": 0.02, "ask": {"rate": 0.03}}}
    config = renamed_run({"method": "max-margin", "encoder": None, "config": old})["config"]
    assert config["learner"] == {"learning_rate": 0.1, "policy": "mixture"}
    assert config["recipe"] == {"learning_rate": 0.02, "queries": {"learning_rate": 0.03}}


def test_a_run_of_today_is_left_as_it_is() -> None:
    run = {"method": "iql", "regime": "scratch", "encoder": "none", "config": {"learner": {"gamma": 0.9}}}
    assert renamed_run(run) == run
    assert renamed_run(renamed_run({"method": "bc-tenth", "encoder": "none", "config": {"recipe": {}}})) == (
        renamed_run({"method": "bc-tenth", "encoder": "none", "config": {"recipe": {}}})
    )


def test_what_is_no_run_at_all_is_left_for_its_reader_to_refuse() -> None:
    assert renamed_run({"method": "x"}) == {"method": "x"}
    assert renamed_run({"config": 3}) == {"config": 3}


def test_networks_and_replays_under_old_names() -> None:
    weight = torch.ones(1)
    state = {
        "networks": {"encoder.eyes.net.0.weight": weight},
        "replay": {"kept": {"after": weight}, "lived": weight},
    }
    assert renamed_state(state) == {
        "networks": {"encoder.obs_encoder.net.0.weight": weight},
        "replay": {"data": {"next_obs": weight}, "num_trials": weight},
    }


def test_words_are_renamed_whole() -> None:
    assert list(renamed_state({"aftermath.eyesight": 1})) == ["aftermath.eyesight"]


def test_a_record_under_its_old_field() -> None:
    assert renamed_record({"k": 1, "lost": 2}) == {"k": 1, "diverged": 2}


def test_spellings_are_words_of_a_command() -> None:
    assert (
        OLD_METHODS["preferences-sac-uniform"].spelling
        == "preferences-sac --recipe.queries.selection uniform"
    )
    assert OLD_METHODS["td3-bc-alone"].spelling == "td3-bc --regime scratch"
