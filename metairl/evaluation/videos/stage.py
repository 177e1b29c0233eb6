"""A body of a card in front of a camera: a pose goes in, a picture comes out.

The body is drawn as the card's model has it: what tasks multiply (masses, damping, friction) is not seen.
Software draws too where there is no GPU, so what costs most and shows least is left out or made coarser.
"""

import copy
from collections.abc import Sequence

import mujoco
import numpy as np
from torch import Tensor

from metairl.envs.mujoco_bodies import BODIES
from metairl.envs.mujoco_models import compiled
from metairl.evaluation.videos import Picture
from metairl.evaluation.videos.targets import TARGETS, WIDTH, Place
from metairl.tasks.cards import Physics

SIZE = (240, 320)
SHADOWS = 512  # pixels of their map; MuJoCo's own 4,096 take three quarters of the time
REACH = 2.0  # metres around the body in which they fall
ASIDE = 0.45  # how far before a body that moves in a plane its arrows lie, for the camera to see them


class Stage:
    def __init__(self, physics: Physics):
        body = BODIES[physics.body]
        self.model = copy.copy(compiled(physics.xml or body.xml, body.reads))
        self.model.vis.quality.shadowsize = SHADOWS
        self.model.vis.map.shadowclip = REACH / self.model.stat.extent
        self._soften_the_floor()
        self.data = mujoco.MjData(self.model)
        self.aim, self.planar = physics.aim, body.axes == 1
        mujoco.mj_fwdPosition(self.model, self.data)
        self.height = float(self.data.xpos[1, 2])
        self.renderer = mujoco.Renderer(self.model, *SIZE)
        self.renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False

    def draw(self, pose: Tensor, wanted: Sequence[float] | None, speed: float) -> Picture:
        """The body in a pose, [nq], with what its task wants of it, if the aim has a parameter."""
        self.data.qpos[:] = pose.numpy()
        mujoco.mj_fwdPosition(self.model, self.data)
        here = self.data.xpos[1].copy()
        self.renderer.update_scene(self.data, self._camera(here, wanted))
        if wanted is not None and self.aim in TARGETS:
            ground = np.array([here[0], here[1] - ASIDE * self.planar, WIDTH])
            TARGETS[self.aim](self.renderer.scene, ground, wanted, speed)
        self._light(here)
        picture: Picture = self.renderer.render()
        return picture

    def _light(self, here: Place) -> None:
        """The sun goes with the body: where it shines from matters to shadows."""
        scene = self.renderer.scene
        for light in scene.lights[: scene.nlight]:
            if not light.headlight:
                light.pos[:] = here[0], here[1], here[2] + REACH

    def _soften_the_floor(self) -> None:
        """Squares of two greys in place of Gymnasium's black and white, on which no shadow is seen."""
        for geom in np.flatnonzero(self.model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE):
            for texture in self.model.mat_texid[self.model.geom_matid[geom]]:
                if texture >= 0:
                    first = self.model.tex_adr[texture]
                    size = self.model.tex_height[texture] * self.model.tex_width[texture]
                    pixels = self.model.tex_data[first : first + size * self.model.tex_nchannel[texture]]
                    pixels[:] = 130 + pixels // 4

    def close(self) -> None:
        self.renderer.close()

    def _camera(self, here: Place, wanted: Sequence[float] | None) -> mujoco.MjvCamera:
        """Beside a body that moves in a plane, else above and behind; a goal is kept in sight with it."""
        camera = mujoco.MjvCamera()
        camera.azimuth, camera.elevation = 90, -15 if self.planar else -55
        camera.lookat[:] = here[0], here[1], 0.6 * self.height
        camera.distance = 3.5 + 0.6 * self.height
        if self.aim == "goal" and wanted is not None:
            there = np.array(wanted)
            camera.lookat[:2] = (here[:2] + there) / 2
            camera.distance += 1.1 * float(np.linalg.norm(here[:2] - there))
        return camera
