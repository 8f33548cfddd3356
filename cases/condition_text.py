"""What can be read off the text of a CEL expression without evaluating it. Pure.

Only hints for the author are taken from here, but for ``brackets`` and ``macros``, which guard the evaluator and so
count more rather than less: inside strings and comments too.
"""

import re

STRING = r"""(?:[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
_TOKEN = re.compile(rf"{STRING}|//[^\n]*|&&|\|\||.", re.DOTALL)
_MACRO = re.compile(r"\b(?:exists|all)\b")
_BOUND = re.compile(r"\b(?:exists|all)\s*\(\s*([A-Za-z_]\w*)\s*,")
_PLAIN = r"""(?:"([^"\\\n]*)"|'([^'\\\n]*)')"""
_LITERAL = rf"(?:{_PLAIN}|(-?\d[\d.]*\b|true\b|false\b))"
_COMPARED = re.compile(rf"(?<![\w.])([a-z_]+)\s*(?:==|!=)\s*{_LITERAL}")
_MEMBER = re.compile(rf"{_PLAIN}\s+in\s+([a-z_]+)\b(?![.\[(])")
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


def brackets(expression: str) -> int:
    return sum(expression.count(bracket) for bracket in "([{")


def macros(expression: str) -> int:
    """How often the words ``exists`` and ``all`` occur."""
    return len(_MACRO.findall(expression))


def bound(expression: str) -> set[str]:
    """The names that ``exists`` and ``all`` give to a list's entries."""
    return set(_BOUND.findall(expression))


def entries(name: str, expression: str) -> list[str]:
    """The keys that are read from the map ``name``, as ``name.key`` or ``name["key"]``."""
    found = re.findall(rf"(?<![\w.]){name}\s*(?:\.\s*(\w+)\b(?!\s*\()|\[\s*{_PLAIN}\s*\])", expression)
    return [field or double or single for field, double, single in found]


def comparisons(expression: str) -> list[tuple[str, str | float | bool]]:
    """Each name with the literal that it is compared with by ``==`` or ``!=``; every number is given as 0.0."""
    return [
        (name, {"true": True, "false": False, "": double or single}.get(plain, 0.0))
        for name, double, single, plain in _COMPARED.findall(expression)
    ]


def members(expression: str) -> list[tuple[str, str]]:
    """Each name with the text that it is searched for, as ``"text" in name``."""
    return [(name, double or single) for double, single, name in _MEMBER.findall(expression)]


def operands(expression: str) -> list[str]:
    """The pieces between ``&&``, ``||``, ``?``, ``:`` and commas, at every depth of brackets, outermost included."""
    found: list[str] = []
    open_pieces: list[list[str]] = [[]]

    def close() -> None:
        piece = "".join(open_pieces[-1]).strip()
        if piece:
            found.append(piece)
        open_pieces[-1] = []

    for token in _TOKEN.findall(expression):
        if token in ("&&", "||", "?", ":", ","):
            close()
            for outer in open_pieces[:-1]:  # An enclosing piece keeps its brackets whole.
                outer.append(token)
        elif token in "([{":
            for piece in open_pieces:
                piece.append(token)
            open_pieces.append([])
        elif token in ")]}" and len(open_pieces) > 1:
            close()
            open_pieces.pop()
            for piece in open_pieces:
                piece.append(token)
        elif not token.startswith("//"):
            for piece in open_pieces:
                piece.append(token)
    while open_pieces:
        close()
        open_pieces.pop()
    return found


def syntax_error(message: str) -> str:
    """The parser's first complaint, in one line, without the expression."""
    if not (match := _ERROR.search(message)):
        return "The syntax is wrong."
    line, column, complaint = match.groups()
    complaint = re.sub(r"^Syntax error: ", "", complaint).split(" expecting ")[0]
    shown = "".join(letter if letter.isprintable() else "?" for letter in complaint[:100])
    return f"Syntax error in line {line}, column {column}: {shown}."
