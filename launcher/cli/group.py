"""The group of all commands, which imports a command's module only when that command is meant."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, NamedTuple

import click

from launcher.runner import names


class Command(NamedTuple):
    """Where a command lives, and what `launcher --help` says of it."""

    module: str
    help: str


COMMANDS = {
    "submit": Command("submit", "Run a batch of jobs, here or where --on says."),
    "plan": Command("plan", "Show what submit would do; writes nothing."),
    "rehearse": Command("rehearse", "Try every job once for one batch of one epoch, on this CPU."),
    "status": Command("status", "Show runs, epochs, losses and time to go."),
    "attach": Command("attach", "Watch a batch that was left alone."),
    "logs": Command("logs", "Show or follow the log of a run."),
    "pull": Command("pull", "Bring results home now."),
    "recover": Command("recover", "Bring results home from the kept disk of a machine that is gone."),
    "compare": Command("compare", "Compare variants over their repeats: mean, deviation, interval."),
    "stop": Command("stop", "Cancel a batch or some of its runs, cleanly."),
    "resume": Command("resume", "Go on with a batch that was stopped or interrupted."),
    "ps": Command("ps", "List every machine and disk of mine on AWS, its price and its deadline."),
    "reap": Command("reap", "End what is left on AWS and should not be; asks first."),
    "clean": Command("clean", "Remove old batches; asks first."),
    "doctor": Command("doctor", "Check everything that a batch needs, and say how to mend it."),
    "ami": Command("ami", "List and retire machine images of your own."),
    "iam-policy": Command("iam_policy", "Print the smallest AWS policy with which launcher works."),
    "init": Command("init", "Start a project: an example job, its script, settings."),
    "schema": Command("schema", "Print the JSON schema of job files, for editors."),
    "completion": Command("completion", "Print the script that completes commands in your shell."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them when they are wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"launcher.cli.{COMMANDS[cmd_name].module}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a misspelt one say which may be meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean {close[0]}?" if close else " See launcher --help."
            ctx.fail(f"There is no command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; that nobody reads on, as in `launcher logs RUN | head`, is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(names.VERSION, prog_name="launcher")
def cli() -> None:
    """Run a batch of Keras experiments and keep every result.

    \b
    launcher submit jobs/*.yaml       run a batch on this computer
    launcher status                   see how it goes
    launcher compare                  see what came out
    """
