"""Real panels from elsewhere, brought into the data contract: one module a panel.

A panel's module gives ``tables(frame)``, contract tables made of the panel's own frame, and an entry of
`riskmodel.data.importers.run.PANELS`. What a panel does not hold stays absent, never invented; where the
contract asks for something it cannot say, the module's first lines tell what stands in.
"""

from riskmodel.data.importers.run import PANELS, Panel, run

__all__ = ["PANELS", "Panel", "run"]
