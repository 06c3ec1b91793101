"""Real panels from elsewhere, brought into the data contract: one module a panel.

A panel's module registers an `Importer`; nothing else names it: the command line, the benchmark and the
documentation read the registry. What a panel does not hold stays absent, never invented; where the contract
asks for something it cannot say, the module's first lines tell what is imputed.
"""

from riskmodel.data.importers.registry import IMPORTERS, Importer, import_panel

__all__ = ["IMPORTERS", "Importer", "import_panel"]
