"""The pages that are made of what the package holds, as a hook of MkDocs: they cannot fall behind it.

A page for each technique and one with all families (of the inventory), the command reference (of the command line), the
model card, the measurements (of ``eval/results``), and ``SECURITY.md``. A comment ``<!-- card: HEADING -->`` in a page
becomes that section of the model card, ``<!-- diagram: FILE -->`` a picture that a script draws.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from detector.cli import app
from detector.detect import DEFAULT_MODEL, SHIPPED
from detector.techniques import Example, Technique, all_techniques, families, inventory, inventory_names, technique

ROOT = Path(__file__).parents[1]
CARD = SHIPPED / DEFAULT_MODEL / "README.md"
RESULTS = ROOT / "eval" / "results"
SECURITY = ROOT / "SECURITY.md"
TECHNIQUES = "techniques/index.md"
NOT_IN_CARD = "The card of this model does not have it: `detector calibrate` and `python eval/card.py` write it."
MOST_ROWS = 60
Table = list[Mapping[str, Any]]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation with the pages of the techniques, family by family, below their overview."""
    for entry in config.nav or []:
        for title, inside in entry.items():
            if isinstance(inside, list) and inside[0] == TECHNIQUES:
                inside += [{family.title: [f"techniques/{n}.md" for n in family.techniques]} for family in families()]
                entry[title] = inside
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the site, with the pages that are made here."""
    for path, text in pages():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page with sections of the model card where it asks for them."""
    markdown = re.sub(r"<!-- card: (.+?) -->", lambda match: card_sections().get(match[1], NOT_IN_CARD), markdown)
    return re.sub(r"<!-- diagram: (.+?) -->", lambda match: diagram(match[1]), markdown)


def pages() -> Iterator[tuple[str, str]]:
    """The paths of all pages that are made here, and their Markdown."""
    yield TECHNIQUES, overview()
    yield from ((f"techniques/{one.name}.md", technique_page(one)) for one in all_techniques())
    yield "commands.md", commands_page()
    yield "model-card.md", CARD.read_text(encoding="utf-8")
    yield "measurements.md", measurements()
    yield "security.md", SECURITY.read_text(encoding="utf-8")


# -- techniques ------------------------------------------------------------------------------------------------------


def overview() -> str:
    """All techniques by family."""
    lines = [
        f"# The {len(all_techniques())} techniques",
        "",
        "The inventory is that of SemEval-2023 Task 3; definitions, questions and examples are our own. `detector "
        "techniques` lists it, `detector explain NAME` shows one of these pages in a terminal. A name may be the slug, "
        "the title, the code, or what an older inventory calls it.",
    ]
    for family in families():
        lines += ["", f"## {family.title}", "", family.description, "", "| code | technique | |", "|---|---|---|"]
        for one in map(technique, family.techniques):
            lines.append(f"| {one.code} | [{one.title}]({one.name}.md) | {one.definition} |")
    return "\n".join(lines) + "\n"


def technique_page(one: Technique) -> str:
    """All that the inventory says about a technique."""
    family = next(family for family in families() if family.name == one.family)
    sections = {
        "How to recognise it": one.recognise,
        "When it is legitimate": one.legitimate,
        "A question to ask": one.question,
        "Examples": sentences(map(marked, one.examples)),
        "Look-alikes, not to be marked": sentences(map(escape, one.look_alikes)),
        "In other inventories": other_names(one),
        "Source": one.source,
    }
    head = (
        f"# {one.title}\n\n`{one.name}` · {one.code} · [{family.title}](index.md#{family.name})\n\n{one.definition}\n"
    )
    return head + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())


def marked(example: Example) -> str:
    """An example in HTML, its quote marked."""
    before, after = example.text[: example.start], example.text[example.end :]
    return f"{escape(before)}<mark>{escape(example.quote)}</mark>{escape(after)}"


def sentences(html: Iterable[str]) -> str:
    """A list of sentences; HTML, so that nothing in them is taken for Markdown."""
    return f"<ul>{''.join(f'<li>{one}</li>' for one in html)}</ul>"


def other_names(one: Technique) -> str:
    """What other inventories call a technique, and which have no name for it."""
    lines = ["| inventory | name |", "|---|---|"]
    for known in map(inventory, inventory_names()[1:]):
        name = known.foreign(one.name)
        lines.append(f"| {known.title} | {f'`{name}`' if name else 'does not have it'} |")
    return "\n".join(lines)


# -- commands --------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """All commands with their arguments, options and defaults, as their help says it."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("detector", [], resilient_parsing=True)
    parts = ["# Commands", group.help, prose(group.epilog), options(group, context)]
    for name, command in group.commands.items():
        inside = command.make_context(name, [], parent=context, resilient_parsing=True)
        usage = command.get_usage(inside).removeprefix("Usage: ")
        parts += [f"## detector {name}", f"```text\n{usage}\n```", prose(command.help), options(command, inside)]
    return "\n\n".join(parts) + "\n"


def prose(text: str) -> str:
    """The help of a command with its options and patterns in code."""
    code = re.compile(r"(`[^`]*`)|(?<![\w-])(--?[a-z][a-z-]*)|'([^' ]*\*[^' ]*)'")
    return code.sub(lambda match: match[1] or f"`{match[2] or match[3]}`", text)


def options(command: Any, context: Any) -> str:
    """The arguments and options of a command as a table."""
    lines = ["| | | default, limits |", "|---|---|---|"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:  # not hidden
            written = record[0].split()[0] if parameter.param_type_name == "argument" else record[0]
            lines.append(option(written, record[1]))
    return "\n".join(lines)


def option(written: str, text: str) -> str:
    """The row of an option as the help has it: ``-f, --format <text|json>`` and ``What to write.  [default: text]``."""
    text, limits = re.fullmatch(r"(.*?)(?:\s*\[([^][]*)\])?", text, re.DOTALL).groups()
    known = re.sub(r"default: \(?(.+?)\)?(?=;|$)", r"`\1`", limits or "")
    choice = re.fullmatch(r"(.+) <(.+\|.+)>", written)  # long ones would make the column wide
    if choice:
        written, text = choice[1], f"{text} One of `{'`, `'.join(choice[2].split('|'))}`."
    return f"| `{cell(written)}` | {prose(cell(text))} | {cell(known)} |"


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


# -- measurements ----------------------------------------------------------------------------------------------------


def card_section(heading: str) -> str:
    """A section of the model card without its heading; raises KeyError where the card has none of that name."""
    return card_sections()[heading]


def diagram(name: str) -> str:
    """The picture of that name in ``docs/images``, with its own title; what to run where it is not there."""
    path = ROOT / "docs" / "images" / name
    if not path.is_file():
        return f"`{name}` has not been drawn: run the script in `eval/` that does."
    title = re.search(r"<title>(.+?)</title>", path.read_text(encoding="utf-8"))
    return f"![{title[1] if title else name}](images/{name})"


def card_sections() -> dict[str, str]:
    """The sections of the model card by their headings."""
    _, *parts = re.split(r"^## (.+)\n", CARD.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {heading: text.strip() for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def measurements() -> str:
    """The records in ``eval/results``: what each script says that it measures, and its figures."""
    parts = [
        "# Measurements",
        "What the scripts in `eval/` have recorded in `eval/results/`, as it is there. [The model card](model-card.md) "
        "has what the training measured, [the limits](limits.md) what to make of it.",
    ]
    for record in sorted(RESULTS.glob("*.json")):
        script = f"{record.stem.partition('-')[0]}.py"
        parts += [f"## {record.stem.replace('_', ' ')}", purpose(RESULTS.parent / script)]
        parts += figures(json.loads(record.read_text(encoding="utf-8")), level=3)
    return "\n\n".join(filter(None, parts)) + "\n"


def purpose(script: Path) -> str:
    """The first sentence of a script's docstring, and the script; nothing where there is none."""
    if not script.is_file():
        return ""
    first = (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    return f"{' '.join(first.split())} (`eval/{script.name}`)"


def figures(value: Any, *, level: int) -> Iterator[str]:
    """A record as Markdown: what is alike as a table, the rest as lists under headings."""
    rows = table_of(value)
    if rows is not None:
        yield table(rows)
    elif isinstance(value, dict):
        plain = {name: one for name, one in value.items() if is_short(one)}
        yield "\n".join(f"- {name.replace('_', ' ')}: {shown(one)}" for name, one in plain.items())
        for name in [name for name in value if name not in plain]:
            yield f"{'#' * min(level, 6)} {name.replace('_', ' ')}"
            yield from figures(value[name], level=level + 1)
    else:
        yield f"{len(value)} entries: see the file."


def is_short(value: Any) -> bool:
    """Whether a value fits into a line."""
    if isinstance(value, (dict, list)):
        inside = value.values() if isinstance(value, dict) else value
        return len(value) < 8 and not any(isinstance(one, (dict, list)) for one in inside)
    return True


def table_of(value: Any) -> Table | None:
    """The rows of a table, where a value is a list or dictionary of flat dictionaries."""
    rows: Table
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        rows = [flat(one) for one in value]
    elif isinstance(value, dict) and len(value) > 1 and all(isinstance(one, dict) and one for one in value.values()):
        rows = [{"": name, **flat(one)} for name, one in value.items()]
    else:
        return None
    return rows if all(is_short(one) for row in rows for one in row.values()) else None


def flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """A dictionary with those inside it laid out: ``{"f1": {"low": 1}}`` → ``{"f1 low": 1}``."""
    inside = ((f"{n} {m}", x) for n, one in value.items() if isinstance(one, dict) for m, x in one.items())
    return dict(chain(((n, one) for n, one in value.items() if not isinstance(one, dict)), inside))


def table(rows: Table) -> str:
    """Rows as a table; of a long one, the first rows."""
    columns = list(dict.fromkeys(chain.from_iterable(rows)))
    head = [f"| {' | '.join(name.replace('_', ' ') for name in columns)} |", "|---" * len(columns) + "|"]
    body = [f"| {' | '.join(shown(row.get(name)) for name in columns)} |" for row in rows[:MOST_ROWS]]
    more = [f"\n… and {len(rows) - MOST_ROWS} more in the file."] if len(rows) > MOST_ROWS else []
    return "\n".join(head + body + more)


def shown(value: Any) -> str:
    """A value in a cell or a line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else escape(cell(str(value)))
