"""``national-2021`` again, as one DuckDB query written by hand from the text of the rules (001 §13).

It gives the contract's columns of ``riskmodel rules``, conditions, unknown ones and the verdict for the
register included, as a careful analyst would write them for this one rule set. It shares no code with the
package: codes, thresholds and names are typed in here. Written for months, not for annual totals.
"""

from __future__ import annotations

import datetime as dt

CAUSES = (
    "illness", "disability", "schooling", "disaster", "accident", "industry_failure",
    "unstable_employment", "labour_shortage", "housing", "water", "epidemic", "other",
)  # fmt: skip
CONDITIONS = (
    "below_line", "at_risk", "sudden_cause", "rigid_too_large", "income_plunged", "verify", "supported",
    "no_gap", "income_stable", "rigid_settled", "no_labour", "fallback_in_place",
)  # fmt: skip
FOCUS = (
    "severe_or_chronic_illness", "severe_disability", "children_left_behind_or_distressed",
    "dispersed_tekun", "disabled_elderly",
)  # fmt: skip
COLUMNS = (
    "household_id", "persons", "net_income", "pcni", "previous_pcni", "income_drop", "rigid", "rigid_ratio",
    "line", "gap", "has_risk", "category", "main_cause", "conditions", "unknown", "focus", "outcome",
)  # fmt: skip


def national(day: dt.date, line: float = 6000) -> str:
    """Return the query for one as-of date that ends a month."""
    last = day.year * 12 + day.month - 1
    on, ago = f"DATE '{day}'", f"(DATE '{day}' - INTERVAL 12 MONTH)::DATE"
    order = "CASE cause " + " ".join(f"WHEN '{c}' THEN {i}" for i, c in enumerate(CAUSES)) + " END"
    held = ", ".join(f"CASE WHEN {c} THEN '{c}' END" for c in CONDITIONS)
    unclear = ", ".join(f"CASE WHEN {c} IS NULL THEN '{c}' END" for c in CONDITIONS)
    watched = ", ".join(f"CASE WHEN {f} THEN '{f}' END" for f in FOCUS)
    return f"""
WITH homes AS (
    SELECT household_id, registration, coalesce(tekun, false) AS dispersed_tekun,
           housing_safe IS FALSE OR water_safe IS FALSE AS gap_home
    FROM households WHERE known_on <= {on} AND (valid_from IS NULL OR valid_from <= {on})
    QUALIFY row_number() OVER (PARTITION BY household_id ORDER BY valid_from DESC NULLS LAST) = 1
), people AS (
    SELECT *, (({last} - birth_month) // 12) AS age FROM members
    WHERE known_on <= {on} AND (valid_from IS NULL OR valid_from <= {on})
      AND (valid_to IS NULL OR {on} < valid_to)
    QUALIFY row_number() OVER (PARTITION BY household_id, member_id ORDER BY valid_from DESC NULLS LAST) = 1
), heads AS (
    SELECT household_id, count(*) AS persons,
           count(*) FILTER (work_capacity IN ('full', 'partial')) AS labour,
           count(*) FILTER (work_capacity IS NULL) AS labour_unknown,
           coalesce(bool_or(insured IS FALSE OR (age BETWEEN 6 AND 15 AND schooling = 'dropped_out'
                    AND coalesce(disability_grade, 0) NOT IN (1, 2))), false) AS gap_person,
           coalesce(bool_or(health IN ('chronic', 'major_illness')), false) AS severe_or_chronic_illness,
           coalesce(bool_or(disability_grade IN (1, 2)), false) AS severe_disability,
           coalesce(bool_or(age >= 60 AND disability_grade >= 1), false) AS disabled_elderly,
           coalesce(bool_or(age < 16 AND (disability_grade >= 1 OR health = 'major_illness'
                    OR schooling = 'dropped_out')), false) AS child_in_distress,
           coalesce(bool_or(age < 16), false) AS child,
           coalesce(bool_or(age >= 18 AND age < 60 AND coalesce(resident, true)), false) AS adult_at_home
    FROM people GROUP BY household_id
), heads_before AS (
    SELECT household_id, count(DISTINCT member_id) AS persons_before FROM members
    WHERE known_on <= {on} AND (valid_from IS NULL OR valid_from <= {ago})
      AND (valid_to IS NULL OR {ago} < valid_to)
    GROUP BY household_id
), earned AS (
    SELECT household_id, sum(amount) FILTER (month_to > {last - 12}) AS now,
           sum(amount) FILTER (month_to <= {last - 12}) AS before
    FROM income WHERE known_on <= {on} AND month_to BETWEEN {last - 23} AND {last}
    GROUP BY household_id
), spent AS (
    SELECT household_id,
           sum(amount) FILTER (category = 'production' AND month_to > {last - 12}) AS costs,
           sum(amount) FILTER (category = 'production' AND month_to <= {last - 12}) AS costs_before,
           sum(amount) FILTER (category <> 'production') AS rigid
    FROM spending WHERE known_on <= {on} AND month_to BETWEEN {last - 23} AND {last}
      AND (category = 'production' OR (month_to > {last - 12}
           AND category IN ('medical', 'education', 'housing', 'disaster', 'accident')))
    GROUP BY household_id
), struck AS (
    SELECT household_id, bool_or(cause IN ('illness', 'disaster', 'accident')) AS sudden,
           arg_min(cause, {{'d': -epoch(date), 'c': {order}}}) AS latest_cause
    FROM risk_events WHERE known_on <= {on} AND date <= {on} AND date > {ago} GROUP BY household_id
), register AS (
    SELECT household_id, event, nullif(replace(causes, ' ', ''), '') AS causes,
           last_value(causes IGNORE NULLS) OVER (PARTITION BY household_id ORDER BY date, known_on
               ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS named
    FROM monitoring WHERE known_on <= {on} AND date <= {on}
    QUALIFY row_number() OVER (PARTITION BY household_id ORDER BY date DESC, known_on DESC,
        CASE event WHEN 'identified' THEN 0 WHEN 'eliminated' THEN 1 WHEN 'rolled_back' THEN 2
                   WHEN 're_marked' THEN 3 WHEN 'removed' THEN 4 ELSE 5 END DESC) = 1
), helped AS (
    SELECT household_id, list(DISTINCT cause) FILTER (cause IS NOT NULL) AS helped_causes,
           coalesce(bool_or(measure = 'social_security' AND date <= {ago}
                    AND (end_date IS NULL OR end_date > {on})), false) AS fallback
    FROM support WHERE known_on <= {on} AND date <= {on} GROUP BY household_id
), amounts AS (
    SELECT h.*, heads.* EXCLUDE (household_id, persons), r.causes, r.named, s.sudden, s.latest_cause,
           helped_causes, coalesce(fallback, false) AS fallback,
           coalesce(event IN ('identified', 'rolled_back', 're_marked'), false) AS watched,
           coalesce(persons, 0) AS persons, {line}::DOUBLE AS line,
           gap_home OR coalesce(gap_person, false) AS gaps,
           (now - coalesce(costs, 0))::DOUBLE AS net_income,
           (before - coalesce(costs_before, 0))::DOUBLE AS net_before,
           net_income / nullif(coalesce(persons, 0), 0) AS pcni,
           net_before / nullif(coalesce(persons_before, 0), 0) AS previous_pcni,
           coalesce(rigid, 0)::DOUBLE AS rigid
    FROM homes h LEFT JOIN heads USING (household_id) LEFT JOIN heads_before USING (household_id)
      LEFT JOIN earned USING (household_id) LEFT JOIN spent USING (household_id)
      LEFT JOIN struck s USING (household_id) LEFT JOIN register r USING (household_id)
      LEFT JOIN helped USING (household_id)
), ratios AS (
    SELECT *, CASE WHEN previous_pcni > 0 THEN 1 - pcni / previous_pcni END AS income_drop,
           coalesce(net_before, net_income) AS divisor,
           CASE WHEN divisor IS NULL THEN NULL WHEN rigid = 0 THEN 0 WHEN divisor <= 0 THEN 'inf'::DOUBLE
                ELSE rigid / divisor END AS rigid_ratio,
           gaps OR latest_cause IS NOT NULL AS has_risk
    FROM amounts
), judged AS (
    SELECT *, round(pcni, 9) < line AS below_line, has_risk AS at_risk,
           coalesce(sudden, false) AS sudden_cause, round(rigid_ratio, 9) > 1.0 AS rigid_too_large,
           round(income_drop, 9) >= 0.5 AS income_plunged, gaps AND latest_cause IS NOT NULL AS verify,
           watched AND CASE WHEN causes IS NULL THEN NULL
               ELSE list_has_all(coalesce(helped_causes, []), string_split(causes, ';')) END AS supported,
           watched AND NOT gaps AS no_gap,
           watched AND round(pcni, 9) > line AND round(previous_pcni, 9) > line AS income_stable,
           watched AND round(rigid_ratio, 9) <= 1.0 AS rigid_settled,
           watched AND coalesce(labour, 0) = 0 AND (coalesce(labour_unknown, 0) = 0 OR NULL) AS no_labour,
           watched AND fallback AS fallback_in_place,
           coalesce(child_in_distress OR (child AND NOT adult_at_home), false)
               AS children_left_behind_or_distressed
    FROM ratios
)
SELECT household_id, persons, net_income, pcni, previous_pcni, income_drop, rigid, rigid_ratio, line,
       line - pcni AS gap, has_risk,
       CASE WHEN registration NOT IN ('lifted', 'general', 'not_lifted') THEN 'none'
            WHEN pcni IS NULL THEN 'unknown'
            WHEN below_line AND at_risk AND registration = 'lifted' THEN 'unstable_lifted'
            WHEN below_line AND at_risk AND registration = 'general' THEN 'marginal'
            WHEN NOT below_line AND sudden_cause AND (rigid_too_large OR income_plunged)
                THEN 'sudden_hardship' ELSE 'none' END AS category,
       coalesce(nullif(string_split(named, ';')[1], ''), latest_cause) AS main_cause,
       concat_ws(';', {held}) AS conditions, concat_ws(';', {unclear}) AS unknown,
       concat_ws(';', {watched}) AS focus,
       CASE WHEN no_labour AND NOT fallback_in_place THEN 'hold_no_labour'
            WHEN supported AND no_gap AND income_stable AND rigid_settled
                 AND (NOT no_labour OR fallback_in_place) THEN 'eliminate'
            WHEN watched THEN 'hold' ELSE '' END AS outcome
FROM judged ORDER BY household_id"""
