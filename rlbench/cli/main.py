"""The `rlbench` command: a group whose commands are imported only when they are called."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import click

from rlbench import __version__
from rlbench.core.errors import ExitCode, RlbenchError, closest

COMMANDS: Mapping[str, tuple[str, str]] = {
    "list": ("rlbench.cli.catalogue:list_", "Tasks, baselines and suites."),
    "show": ("rlbench.cli.catalogue:show", "Everything about one task, baseline or suite."),
    "run": ("rlbench.cli.running:run", "Run tasks x baselines x seeds; resumes by itself."),
    "status": ("rlbench.cli.running:status", "What the results folder holds, cell by cell."),
    "report": ("rlbench.cli.reporting:report", "Tables, plots and one HTML page from records."),
    "compare": ("rlbench.cli.reporting:compare", "Two baselines, task by task, with intervals."),
    "check": ("rlbench.cli.checking:check_command", "Has a change made an agent worse? For CI."),
    "eval": ("rlbench.cli.ued:eval_", "Put a trained maze student into anybody's levels."),
    "render": ("rlbench.cli.ued:render", "Pictures of levels, curricula and maze students."),
    "replay": ("rlbench.cli.skillhack:replay", "Play a recorded NetHack episode again."),
    "data": ("rlbench.cli.data:data", "Data sets and assets on this machine."),
    "doctor": ("rlbench.cli.doctor:doctor", "What can run here, and what fixes the rest."),
}
"""Name: where it is, and its line in `--help`, so that help imports nothing."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a mistyped name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command '{args[0]}'{closest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; when the reader of its output leaves, there is nothing to complain of."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # click would make it exit code 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(ExitCode.OK)
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="rlbench %(version)s")
def rlbench() -> None:
    """Benchmark suites and one honest evaluation harness.

    \b
    rlbench list                                what there is
    rlbench run 'ood/glyph-*' msp,knn           run, resume, skip what is done
    rlbench report                              tables, plots, report/index.html
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"rlbench: warning: {message}", err=True)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit with one of `ExitCode`."""
    warnings.showwarning = _show_warning
    try:
        code = rlbench.main(args=arguments, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else ExitCode.OK)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except RlbenchError as error:
        click.echo(f"rlbench: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("RLBENCH_DEBUG"):
            raise
        name = type(error).__name__
        click.echo(
            f"rlbench: internal error: {name}: {error}\n"
            "Run again with RLBENCH_DEBUG=1 for the traceback, and report it with the output of"
            " `rlbench doctor --json`.",
            err=True,
        )
        sys.exit(ExitCode.INTERNAL)
