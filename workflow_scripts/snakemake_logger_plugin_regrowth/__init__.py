"""Snakemake's way in to `regrowth.run.terminal`: `--logger regrowth`."""

from regrowth.run.terminal import Terminal
from snakemake_interface_logger_plugins.base import LogHandlerBase


class LogHandler(Terminal, LogHandlerBase):
    """Where nobody sees a bar, Snakemake's own lines stay as they are."""

    writes_to_file = has_formatter = needs_rulegraph = False
    has_filter = True

    @property
    def writes_to_stream(self) -> bool:
        return self.bar is not None
