"""Files in every format, of rows whose texts are as nasty as customers' can be. Needs neither database nor settings."""

import sys
from pathlib import Path

from feedback.formats import ALL, Destination
from feedback.kinds import Kind
from tests.feedback.rows import NASTY, a_row, labels_for


def main(folder: Path) -> None:
    from feedback.datasets.examples import examples_of

    for each in ALL:
        for kind in Kind:
            if kind not in each.kinds:
                continue
            destination = Destination("acme", f"{kind} of acme", "ds_" + "0" * 32, kind)
            lines = list(each.head(destination))
            for number, text in enumerate(NASTY):
                row = a_row(
                    label=labels_for(kind),
                    question=text,
                    final_answer=f"{text} ({number})",
                    draft=f"Yes. {text}",
                    missing_evidence=f"{text} missing",
                )
                lines += [line for example in examples_of(kind, row) for line in each.lines(example, destination)]
            path = folder / f"{each.name}.{kind}.{each.suffix}"
            path.write_text("".join(line + each.line_end for line in lines), encoding="utf-8", newline="")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
