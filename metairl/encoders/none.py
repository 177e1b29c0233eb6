"""No task inference: the learner reads the observation, so one policy must serve every task.

z_t = o_t
"""

from torch import nn

from metairl.types import Context, Encoding, NoConfig, Spec, State


class Nothing(nn.Module):
    sees_task = False

    def __init__(self, spec: Spec, config: NoConfig):
        super().__init__()
        self.width = spec.obs

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        return Encoding(context.obs, state, aux=context.obs.new_zeros(()))
