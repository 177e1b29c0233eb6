"""No task inference: the learner reads the observation, so one policy must serve every task.

z_t = o_t,  a picture through `ObservationEncoder`
"""

from torch import nn

from metairl.core.networks import ObservationEncoder
from metairl.core.types import Context, Encoding, NoConfig, Spec, State


class NoEncoder(nn.Module):
    sees_task = False
    context_kind = "step"
    length_buckets = 4

    def __init__(self, spec: Spec, config: NoConfig):
        super().__init__()
        self.obs_encoder = ObservationEncoder(spec)
        self.width = self.obs_encoder.width

    def initial(self, lanes: int) -> State:
        return ()

    def forward(self, context: Context, state: State) -> Encoding:
        z = self.obs_encoder(context.obs)
        return Encoding(z, state, aux=z.new_zeros(()))
