"""What is kept of a panel: it is read again only where all that it follows from is the same."""

from dataclasses import replace

from riskmodel.benchmark.store import PanelJob

from .conftest import teens


def test_what_was_kept_is_not_taken_for_another_panel(tmp_path, small):
    panel = next(p for p in small.panels if p.source == "teen_poverty")
    file = teens(tmp_path)
    job = PanelJob(small, panel, tmp_path, file, quick=False)
    mark = job.digest
    assert replace(job).digest == mark
    others = [
        replace(job, bench=small.model_copy(update={"seed": small.seed + 1})).digest,
        replace(job, panel=panel.model_copy(update={"leave_out": ("rule",)})).digest,
        replace(job, quick=True).digest,
    ]
    file.write_text(file.read_text() + "\n")
    others.append(replace(job).digest)
    # A seed, a model less, the quick size, a changed file: none of them may be answered with the old figures.
    assert len({mark, *others}) == 5
