"""All services of compose.yaml together, started and stopped in the order that Compose keeps."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.compose import reading
from tests.compose.container import Container
from tests.compose.images import image
from tests.compose.network import Network
from tests.live import wait_until

UP_SECONDS = 120


class Stack:
    """`docker compose up --wait` and `docker compose down` without an engine. Everything listens on loopback only.

    Raises VariableMissing, and ServerUnavailable when Java, Maven or the jars are missing.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        """`variables` is what .env would hold. Volumes are kept until the end of the `with` block."""
        services = reading.services(variables)
        self.network = Network(services)
        # Not in pytest's folder: PostgreSQL's user could not get there.
        self._folder = Path(tempfile.mkdtemp(prefix="replay-vision-compose-"))
        self._folder.chmod(0o711)
        self.volumes = _passable(self._folder / "volumes")
        own, images = _passable(self._folder / "containers"), _passable(self._folder / "images")
        try:
            self.containers = {
                name: Container(name, each, image(each["image"], images), self.network, own / name, self.volumes)
                for name, each in services.items()
            }
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        self._well: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.containers.values():
            container.kill()
        shutil.rmtree(self._folder)

    def up(self) -> None:
        """Starts every service as soon as those that it waits for are so far; returns when all of them are well."""
        self._well.clear()
        waiting = dict(self.containers)

        def all_well() -> bool:
            for name in [name for name, each in waiting.items() if all(map(self._fulfilled, each.depends_on))]:
                waiting.pop(name).start()
            return not waiting and all(map(self._fulfilled, self.containers))

        wait_until(all_well, UP_SECONDS, "not every service is well")

    def down(self) -> dict[str, int]:
        """Stops every service after those that depend on it, each within its grace period; gives the exit statuses.

        Volumes stay.
        """
        left = {name: each for name, each in self.containers.items() if each.keeps_running}
        statuses: dict[str, int] = {}
        while left:
            needed = {name for each in left.values() for name in each.depends_on}
            now = [left.pop(name) for name in [*left] if name not in needed]
            for container in now:
                assert container.status is None, f"{container.name} has ended by itself: {container.output()}"
                container.ask_to_stop()
            statuses |= {container.name: container.stopped() for container in now}
        for container in self.containers.values():
            container.remove()
        return statuses

    def _fulfilled(self, name: str) -> bool:
        """Whether the service is as others want it: it has ended well, or passes its health check (once is enough)."""
        container = self.containers[name]
        if name in self._well or not container.started:
            return name in self._well
        if container.keeps_running:
            assert container.status is None, f"{name} has ended with {container.status}: {container.output()}"
            well = container.healthy()
        else:
            assert container.status in {None, 0}, f"{name} has ended with {container.status}: {container.output()}"
            well = container.status == 0
        if well:
            self._well.add(name)
        return well


def _passable(folder: Path) -> Path:
    """A new folder that other users may go through, but not look into."""
    folder.mkdir()
    folder.chmod(0o711)
    return folder
