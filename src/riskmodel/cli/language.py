"""The language of help, progress and errors: whose it is, and how the toolkit's own texts come to it."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from riskmodel.i18n import LANGUAGES, Language, Sentences, section, sentences_of, speaking, translate

VARIABLE = "RISKMODEL_LANG"
# What the call says (--lang), wherever it stands in it.
_ASKED: ContextVar[Language | None] = ContextVar("_ASKED", default=None)
_SYSTEM = ("LC_ALL", "LC_MESSAGES", "LANG")
_CHINESE_UI = 0x04  # the primary language of a Windows language identifier
# What may not begin a line, and what may not end one.
_CLOSING, _OPENING = "，。；：、！？）》”’】…,.;:!?)]", "（《“‘【(["


def asked_language() -> Language | None:
    """Return the language that the call now running asks for, None where it says nothing."""
    return _ASKED.get()


def system_language(environment: Mapping[str, str]) -> Language:
    """Return the user's language by the environment, on Windows by the user interface, else English."""
    own = environment.get(VARIABLE, "").strip().lower()
    if own:
        return "zh" if own.startswith("zh") else "en"
    named = next((environment[name] for name in _SYSTEM if environment.get(name)), None)
    if named is not None:
        return "zh" if named.lower().startswith("zh") else "en"
    return "zh" if _windows_language() & 0x3FF == _CHINESE_UI else "en"


def _windows_language() -> int:
    if sys.platform != "win32":
        return 0
    import ctypes

    return int(ctypes.windll.kernel32.GetUserDefaultUILanguage())


def _asked_in(args: Sequence[str]) -> Language | None:
    """Return the last --lang of a call, wherever it stands, if there is such a language."""
    own = list(args[: args.index("--")]) if "--" in args else list(args)
    given = None
    for i, word in enumerate(own):
        if word == "--lang" and i + 1 < len(own):
            given = own[i + 1]
        elif word.startswith("--lang="):
            given = word.partition("=")[2]
    return next((language for language in LANGUAGES if language == given), None)


class SpokenGroup(TyperGroup):
    """All verbs; help and usage errors in the language of the call."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the call; see `typer.core.TyperGroup.main`."""
        asked = _asked_in(sys.argv[1:] if args is None else args)
        language = asked or system_language(os.environ)
        chinese = language == "zh"
        token = _ASKED.set(asked)
        if chinese:
            _speak_chinese(self)
        run = partial(super().main, args, prog_name, complete_var, windows_expand_args=windows_expand_args)
        try:
            with speaking(language):
                if not chinese or not standalone_mode:
                    return run(standalone_mode=standalone_mode, **extra)
                _run_and_exit(run, extra)
        finally:
            _ASKED.reset(token)


def _run_and_exit(run: Callable[..., Any], extra: dict[str, Any]) -> NoReturn:
    """Run the call as the toolkit does; its own messages in Chinese."""
    try:
        code = run(standalone_mode=False, **extra)
    except typer.TyperException as exc:
        _show(exc)
        sys.exit(exc.exit_code)
    except typer.Abort:
        typer.echo(_toolkit("Aborted!"), err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _show(exc: typer.TyperException) -> None:
    """Print a usage error of the toolkit: usage, where help is, what is wrong."""
    ctx = getattr(exc, "ctx", None)
    if type(exc).__name__ == "NoArgsIsHelpError":  # its message is the page of help
        typer.echo(exc.format_message(), err=True)
        return
    if ctx is not None:
        typer.echo(ctx.get_usage(), err=True)
        typer.echo(
            _toolkit(f"Try '{ctx.command_path} {ctx.help_option_names[0]}' for help.") + "\n", err=True
        )
    typer.echo(f"{_toolkit('Error')}：{_toolkit(exc.format_message())}", err=True)


@cache
def _help() -> Sentences:
    return sentences_of("cli.help")


@cache
def _toolkit_sentences() -> Sentences:
    return sentences_of("cli.toolkit")


def _toolkit(text: str) -> str:
    return str(_toolkit_sentences().chinese(text) or text)


def help_in_chinese(text: str) -> str:
    """Return a text of help in Chinese, paragraph by paragraph."""
    return "\n\n".join(_help().chinese(one) or one for one in paragraphs(text))


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text of help, each in one line."""
    return [" ".join(one.split()) for one in re.split(r"\n\s*\n", text)]


def _speak_chinese(command: Any) -> Any:
    """Put a command's texts into Chinese, and those of its commands when they are asked for."""
    command.context_class = _ChineseContext
    command.options_metavar = _toolkit("[OPTIONS]")
    if command.help:
        command.help = help_in_chinese(command.help)
        command.short_help = command.help.partition("\n")[0]
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = help_in_chinese(parameter.help)
    if hasattr(command, "get_command"):
        find = command.get_command
        command.subcommand_metavar = _toolkit("COMMAND [ARGS]...")

        def get_command(ctx: Any, name: str) -> Any:
            found = find(ctx, name)
            return found if found is None else _speak_chinese(found)

        command.get_command = get_command
    return command


def summary_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield a verb's summary in Chinese, a line a key."""
    words = section("cli.summary", "zh")
    said = [summary[lang] for lang in ("zh", "en") if lang in summary]
    if said:  # in both languages, or in the one asked for: once is enough
        yield str(said[0])
    for key, value in summary.items():
        if key in LANGUAGES:
            continue
        yield f"{_spoken(key, words)}：{_figures(value, words)}"


def _spoken(text: str, words: Mapping[str, str]) -> str:
    """Return a name, a code or a sentence of a summary in Chinese; what is one word is no sentence."""
    return words.get(text) or (translate(text, "zh") if " " in text else text)


def _figures(value: Any, words: Mapping[str, str]) -> str:
    """Return a value of a summary as a person reads it; what is within another in brackets."""
    if isinstance(value, bool) or value is None:
        return words[{True: "yes", False: "no", None: "missing"}[value]]
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping) and {"zh", "en"} <= set(value):
        return str(value["zh"])
    if isinstance(value, Mapping):
        parts = [(_spoken(str(key), words), part) for key, part in value.items()]
        return "，".join(f"{key}{_within(part, words)}" for key, part in parts) or words["none"]
    if isinstance(value, list | tuple):
        return (
            "；".join(_spoken(v, words) if isinstance(v, str) else _figures(v, words) for v in value)
            or words["none"]
        )
    return translate(value, "zh") if isinstance(value, str) and " " in value else str(value)


def _within(value: Any, words: Mapping[str, str]) -> str:
    inner = _figures(value, words)
    return f"（{inner}）" if isinstance(value, dict | list) else f" {inner}"


class _ChineseHelp(typer.Context.formatter_class):  # type: ignore[valid-type, misc]
    """The toolkit's page of help with Chinese headings, broken by the width that characters take."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        first = prefix or _toolkit("Usage:")
        self.write("\n".join(_lines(f"{first}{prog} {args}", self.width, " " * 4)) + "\n")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{_toolkit(heading)}：\n")

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        broken = (_lines(one, self.width - len(indent)) for one in text.split("\n\n"))
        self.write("\n\n".join("\n".join(indent + line for line in lines) for lines in broken) + "\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        pairs = [(_typed(first), _remarks(second)) for first, second in rows]
        indent = " " * self.current_indent
        column = min(max(_width(first) for first, _ in pairs), col_max) + col_spacing
        for first, second in pairs:
            lines = _lines(second, max(self.width - column - len(indent), 10))
            if not second or _width(first) > column - col_spacing:
                self.write(f"{indent}{first}\n")
            else:
                self.write(f"{indent}{first}{' ' * (column - _width(first))}{lines.pop(0)}\n")
            self.write("".join(f"{indent}{' ' * column}{line}\n" for line in lines if line))


class _ChineseContext(typer.Context):
    formatter_class = _ChineseHelp


def _typed(first: str) -> str:
    """Return an option with its kind of value in Chinese."""
    return re.sub(r"<([a-z][a-z \[\]]*)>", lambda m: f"<{_toolkit(m.group(1))}>", first)


def _remarks(second: str) -> str:
    """Return a help text with what the toolkit adds to it (default, range, required) in Chinese."""
    head, bracket, tail = second.rpartition("[")
    if not bracket or not tail.endswith("]"):
        return _toolkit(second)
    return f"{head}[{'；'.join(_toolkit(one) for one in tail[:-1].split('; '))}]"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _lines(text: str, width: int, further: str = "") -> list[str]:
    """Break a text of Chinese and Latin words into lines."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line.strip() and _width(line) + _width(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = further + piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()]


def _pieces(text: str) -> Iterator[str]:
    """Yield what may not be broken: a Latin word, a Chinese character with the signs that belong to it."""
    chinese = r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef“”‘’…]"
    opening, closing = re.escape(_OPENING), re.escape(_CLOSING)
    word = rf"(?:(?!{chinese})\S)+"
    short = r"\[[^\[\]]{1,40}\]"
    yield from _joined(re.findall(rf"\s+|{short}|[{opening}]|[{closing}]|{chinese}|{word}", text))


def _joined(parts: Iterable[str]) -> Iterator[str]:
    """Join signs to what they belong to, and spaces to the word before."""
    held = ""
    for part in parts:
        belongs = part.isspace() or part[0] in _CLOSING or (held and held[-1] in _OPENING)
        if held and not belongs:
            yield held
            held = ""
        held += part
    if held:
        yield held
