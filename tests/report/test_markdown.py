# SPDX-License-Identifier: GPL-2.0-only
"""Text of others in Markdown: a renderer makes of it the same text, and nothing else."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.report import mail as mails
from harness.report import markdown, plaintext
from harness.report.contents import Content
from tests.support import content, make

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</pre><script>alert(1)</script>",
    "<!-- a comment",
    "<https://example.org>",
    "[x](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "[x]: https://example.org",
    "&lt;img&gt; &#60;",
    "a ` b",
    "`` a ` b ```",
    "```sh",
    "*a* **b** _c_ __d__ ~~e~~",
    "# heading",
    "> said",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "---",
    "===",
    "- - -",
    "___",
    "| a | b |",
    "--- | ---",
    "[ ] to do",
    "~~~",
    "\\<img src=x>",
    "\\`<img src=x>`",
    "$x$ and $$y$$",
    "ends with \\",
    "thanks @torvalds and @org/team, fixes #123 and torvalds/linux#5 and GH-7",
]
HARMLESS = [
    "x86_64: faster: le_fit_alloc_test (-50.0 %); no unexpected finding.",
    "bug in __vmalloc_node_range, mm/vmalloc.c:512",
    "free-list@2: SLOWER - 2 tests slower [worst: 3 < 5] in ~/my-series",
    "KASAN: slab-out-of-bounds in x+0x10/0x20; CPU#3, +1.5 % (R)",
    "nothing; `invoke test --resume` goes on",
]


def rendered(source: str) -> str:
    html: str = RENDERER.render(source)
    return html


def shown(html: str) -> str:
    """Return the text that a browser would show, with its blanks made one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def tags(html: str) -> set[str]:
    return set(re.findall(r"<(\w+)", html))


@pytest.mark.parametrize("said", HOSTILE)
def test_what_others_wrote_is_shown_and_not_obeyed(said: str) -> None:
    html = rendered(markdown.escaped(said))
    assert tags(html) <= {"p", "code"}
    assert shown(html).replace("`", "") == said.replace("`", "")


@pytest.mark.parametrize("said", HARMLESS)
def test_what_means_nothing_stays_as_it_is(said: str) -> None:
    assert markdown.escaped(said) == said
    assert tags(rendered(said)) <= {"p", "code"}


@pytest.mark.parametrize("name", ["@torvalds", "@org/team", "#123", "torvalds/linux#5", "GH-7"])
def test_nobody_is_called(name: str) -> None:
    """GitHub looks for users and issues in all text but code."""
    html = rendered(markdown.escaped(f"({name}) `{name} {name}"))
    assert html.count(f"<code>{name}</code>") == 3


@pytest.mark.parametrize("name", ["free-list@2", "a@b", "CPU#3", "#define"])
def test_what_calls_nobody_is_left(name: str) -> None:
    assert markdown.escaped(name) == name


@given(st.text(st.sampled_from("ab <>[]()!*_~`|#-+=.:;&\\/$\"'"), max_size=40))
def test_any_text_is_shown_as_it_is(said: str) -> None:
    html = rendered(f"x\n\n{markdown.escaped(said.strip())}")
    assert tags(html) <= {"p", "code"}
    assert shown(html).replace("`", "").split() == ["x", *said.replace("`", "").split()]


@pytest.mark.parametrize("words", ["invoke test", "invoke --series 'a`b'", "``", "`"])
def test_a_command_is_code_whatever_it_has(words: str) -> None:
    html = rendered(markdown.code(words))
    assert unescape(html) == f"<p><code>{words}</code></p>\n"


@pytest.mark.parametrize("said", HOSTILE)
def test_a_mail_obeys_nobody(said: str) -> None:
    variant = said.replace("@", "")  # a series has none in its name
    names = {"test": said, "variant": variant, "machine": said}
    made = mails.mail(
        Content(
            make.provenance(
                notes=(said,),
                patches={"stock": (), variant: (said,)},
                host=said,
                tools={said: said},
                machines={said: said},
                command=said,
            ),
            comparisons=(content.comparison(**names),),
            findings=(make.finding(title=said, test=said, text=f"{said}\n{said}"), make.finding(expected=said)),
            results=(make.result("error", reason=said, **names), make.result("failed", reason=said, **names)),
            changes=(content.changed(machine=said, variant=variant),),
        )
    )
    html = rendered(made)
    assert tags(html) <= {"h1", "h2", "p", "ul", "li", "pre", "code"}
    assert max(map(len, made.splitlines())) <= plaintext.WIDTH


def test_a_table_below_an_item_is_code_as_any_other() -> None:
    made = mails.mail(content.full())
    for table in (made[made.index("variant  machine") :], made[made.index("    function") :]):
        assert table.partition("\n")[0].strip().replace("  ", "") in rendered(made).replace("  ", "")
    known = rendered(mails.mail(Content(make.provenance(), findings=(make.leak(),), results=make.known_results())))
    assert re.search(r"<pre><code>\s*variant +machine", known)


@given(st.text(max_size=300))
def test_escaped_text_keeps_to_the_columns(said: str) -> None:
    assert max(map(len, plaintext.item(said).splitlines()), default=0) <= plaintext.WIDTH
