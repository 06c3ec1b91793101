"""docs/rule-language.md names all that a rule set may say, and nothing else.

Its tables of names are those of the vocabulary: ``python tests/rules/test_rule_language.py`` renews them.
"""

from __future__ import annotations

import re
from pathlib import Path

from riskmodel.rules.declaration import RuleSet, vocabulary
from riskmodel.rules.expression import FUNCTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rule-language.md"


def rows() -> dict[str, list[str]]:
    """Return the rows of each generated table by its heading."""
    words = vocabulary()
    return {
        "| `ROWS` | what they are | fields |\n|---|---|---|\n": [
            f"| `{name}` | {one.zh}; {one.en} | {', '.join(f'`{f}`' for f in one.fields)} |"
            for name, one in words.relations.items()
        ],
        "| quantity | kind | zh | en |\n|---|---|---|---|\n": [
            f"| `{name}` | {one.kind} | {one.zh} | {one.en} |" for name, one in words.quantities.items()
        ],
    }


def renewed(text: str) -> str:
    """Return the page with its tables of names as the vocabulary has them."""
    for head, lines in rows().items():
        pattern = re.compile(re.escape(head) + r"(?:\|.*\n)*")
        assert len(pattern.findall(text)) == 1, head
        body = head + "".join(f"{line}\n" for line in lines)
        text = pattern.sub(lambda _, body=body: body, text)
    return text


def test_the_names_are_those_of_the_vocabulary() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text) == text, "docs/rule-language.md: python tests/rules/test_rule_language.py"


def test_every_function_and_every_key_is_named_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.split("| function of a household |")[1].split("## Names")[0]
    assert set(re.findall(r"`([a-z_]+)\(", table)) >= set(FUNCTIONS)
    # Outside examples nothing is called that is no function.
    assert set(re.findall(r"\b([a-z_]+)\(", text)) <= set(FUNCTIONS)
    file = text.split("## The file")[1].split("## Expressions")[0]
    first_cells = re.findall(r"^\| (`[^|]+) \|", file, flags=re.MULTILINE)
    assert {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)} == set(RuleSet.model_fields)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
