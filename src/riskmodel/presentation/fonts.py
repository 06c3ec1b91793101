"""Chinese in matplotlib figures, from a font that comes as a package, whatever the machine has."""

from __future__ import annotations


def use_chinese() -> str:
    """Make matplotlib draw Chinese; call it before a figure is made.

    Returns
    -------
    str
        The font's name, Noto Sans SC (SIL Open Font License).
    """
    from matplotlib import font_manager, rcParams
    from pylopdf_fonts_zh_cn import sans_path

    font_manager.fontManager.addfont(sans_path())
    name = str(font_manager.FontProperties(fname=sans_path()).get_name())
    rcParams["font.family"] = "sans-serif"
    rcParams["font.sans-serif"] = [name, *(f for f in rcParams["font.sans-serif"] if f != name)]
    return name
