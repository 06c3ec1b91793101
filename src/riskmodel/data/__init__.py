"""Reading, checking and holding a county's tables."""

from riskmodel.data.append import TITLE_LINES, TableFile, append_rows, guess_delimiter, table_file
from riskmodel.data.check import FurtherCheck, check_county, later_lines
from riskmodel.data.claims import CLAIM
from riskmodel.data.compiled import (
    Shape,
    fetch_arrow,
    fetch_batches,
    fetch_frame,
    fetch_table,
    known_name,
    name_query,
    store_query,
)
from riskmodel.data.county import County, write_county
from riskmodel.data.file_formats import open_workbook
from riskmodel.data.frames import from_frames
from riskmodel.data.lineage import Lineage, LinkedHousehold, county_lineage
from riskmodel.data.link_facts import LinkFacts
from riskmodel.data.links import JOINING, Link, Links, county_links, first_month_from
from riskmodel.data.parse import unfused_selects
from riskmodel.data.personal import KEY_VARIABLE, pseudonym, secret_key
from riskmodel.data.plausibility import LEAST_SHARE
from riskmodel.data.read import MAX_REJECTED, DataRefused, read_county
from riskmodel.data.rejected import write_cells, write_rejected
from riskmodel.data.schema import (
    CODE_COLUMN,
    LARGE_TABLES,
    SPAN_TABLES,
    TIME_ZONE,
    About,
    canonical_schema,
    code_words,
    codes,
    column_words,
    contract,
    header_row,
    month_end,
    month_ordinal,
    month_text,
    normal_header,
    readable_codes,
    rows_table,
    table_words,
)
from riskmodel.data.snapshots import snapshot_message
from riskmodel.data.sources import (
    FILE_ENDINGS,
    GRID,
    RawTable,
    Source,
    find_sources,
    open_raw_table,
    table_of,
)
from riskmodel.data.suspects import level_sentences
from riskmodel.data.values import cell_text, parse_date

__all__ = [
    "CLAIM",
    "CODE_COLUMN",
    "FILE_ENDINGS",
    "GRID",
    "JOINING",
    "KEY_VARIABLE",
    "LARGE_TABLES",
    "LEAST_SHARE",
    "MAX_REJECTED",
    "SPAN_TABLES",
    "TIME_ZONE",
    "TITLE_LINES",
    "About",
    "County",
    "DataRefused",
    "FurtherCheck",
    "Lineage",
    "Link",
    "LinkFacts",
    "LinkedHousehold",
    "Links",
    "RawTable",
    "Shape",
    "Source",
    "TableFile",
    "append_rows",
    "canonical_schema",
    "cell_text",
    "check_county",
    "code_words",
    "codes",
    "column_words",
    "contract",
    "county_lineage",
    "county_links",
    "fetch_arrow",
    "fetch_batches",
    "fetch_frame",
    "fetch_table",
    "find_sources",
    "first_month_from",
    "from_frames",
    "guess_delimiter",
    "header_row",
    "known_name",
    "later_lines",
    "level_sentences",
    "month_end",
    "month_ordinal",
    "month_text",
    "name_query",
    "normal_header",
    "open_raw_table",
    "open_workbook",
    "parse_date",
    "pseudonym",
    "read_county",
    "readable_codes",
    "rows_table",
    "secret_key",
    "snapshot_message",
    "store_query",
    "table_file",
    "table_of",
    "table_words",
    "unfused_selects",
    "write_cells",
    "write_county",
    "write_rejected",
]
