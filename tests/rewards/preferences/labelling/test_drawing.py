"""The picture of a segment: where the path, the point and the goal are."""

import torch

from metairl.rewards.preferences.labelling.drawing import svg


def test_up_is_up_and_the_point_follows_the_path() -> None:
    """SVG's y axis points down; two steps of 0.12 s; the view is centred."""
    picture = svg(torch.tensor([[0.0, 0.5], [0.25, -1.0]]), torch.tensor([1.0, 0.75]), walled=False)
    assert 'd="M0.0000,-0.5000 L0.2500,1.0000"' in picture
    assert 'cx="1.0000" cy="-0.7500"' in picture
    assert 'viewBox="-1.6 -1.6 3.2 3.2"' in picture
    assert '<rect x="-1.6" y="-1.6" width="3.2" height="3.2"' in picture
    assert 'dur="0.24s"' in picture
    assert "H1" not in picture and "H1" in svg(torch.zeros(2, 2), torch.zeros(2), walled=True)
