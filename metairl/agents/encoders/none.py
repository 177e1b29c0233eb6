"""No task inference: the learner reads the observation, so one policy must serve every task.

z_t = o_t,  a picture through `Eyes`
"""

from torch import nn

from metairl.core.networks import Eyes
from metairl.core.types import Context, Encoding, NoConfig, Spec, State


class Nothing(nn.Module):
    sees_task = False
    reads = "step"
    parts = 4

    def __init__(self, spec: Spec, config: NoConfig):
        super().__init__()
        self.eyes = Eyes(spec)
        self.width = self.eyes.width

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        z = self.eyes(context.obs)
        return Encoding(z, state, aux=z.new_zeros(()))
