"""launcher completion."""

from __future__ import annotations

import click

_NEEDS = {"zsh": "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }\n"}


@click.command(short_help="Print the script that completes commands in your shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes commands, options, batches and runs.

    \b
    Examples:
      bash: eval "$(launcher completion bash)"              in ~/.bashrc
      zsh:  eval "$(launcher completion zsh)"               in ~/.zshrc
      fish: launcher completion fish | source               in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from launcher.cli.group import cli

    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - click knows these three
        raise click.UsageError(f"{shell} can't be completed.")
    # The first line stays the first: by it zsh knows a file of its fpath.
    first, end, rest = kind(cli, {}, "launcher", "_LAUNCHER_COMPLETE").source().partition("\n")
    click.echo(first + end + _NEEDS.get(shell, "") + rest)
