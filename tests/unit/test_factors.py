"""The file of factors."""

from decimal import Decimal
from pathlib import Path

import pytest

from worker.errors import UsageError
from worker.orders.factors import NO_FACTORS, load_factors, parse_factors


def test_factors_are_exact_and_found_by_account_article_and_unit() -> None:
    """The account's own goes first; what is not in the file has none."""
    factors = parse_factors(
        b"article_number,unit,kg_per_unit,account\nA,ST,0.333333,\nA,ST,0.5,Acme.Logistic.Cloud\n", "factors.csv"
    )

    assert factors.of("beta", "A", "ST") == Decimal("0.333333")
    assert factors.of("acme.logistic.cloud", "A", "ST") == Decimal("0.5")
    assert factors.of("beta", "A", "KG") is None


def test_the_fingerprint_is_of_the_file() -> None:
    """Another content has another fingerprint, the same content the same."""
    header = b"article_number,unit,kg_per_unit\n"
    one, same, other = (parse_factors(header + row, "f.csv") for row in (b"A,ST,1\n", b"A,ST,1\n", b"A,ST,2\n"))

    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_without_a_file_there_are_no_factors(tmp_path: Path) -> None:
    """No setting, no factors; a file that is not there is a mistake."""
    assert load_factors(None) is NO_FACTORS
    with pytest.raises(UsageError, match=r"none.csv cannot be read: No such file"):
        load_factors(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("A,ST,-1", "line 2, column kg_per_unit: '-1' is not a decimal number"),
        ("A,ST,1e3", "line 2, column kg_per_unit: '1e3' is not a decimal number"),
        ('A,ST,"0,5"', "line 2, column kg_per_unit: '0,5' is not a decimal number"),
        ("A,ST,", "line 2, column kg_per_unit: '' is not a decimal number"),
        (",ST,1", "line 2, column article_number: blank"),
        ("A, ,1", "line 2, column unit: blank"),
        ("A,ST,1\nA,ST,2", "line 3, column article_number: this article and unit stand twice"),
        ("A,ST", "line 2: 2 cells, but the header has 3 columns"),
    ],
)
def test_a_bad_row_is_named_by_line_and_column(row: str, sentence: str) -> None:
    """Nothing is taken from a file with a mistake."""
    with pytest.raises(UsageError) as refused:
        parse_factors(f"article_number,unit,kg_per_unit\n{row}\n".encode(), "f.csv")

    assert sentence in refused.value.sentence


def test_an_article_may_count_for_nothing() -> None:
    """A pallet that goes with the goods is said to be worth 0, so that it does not hold its order."""
    factors = parse_factors(b"article_number,unit,kg_per_unit\nPALLET,ST,0\n", "f.csv")

    assert factors.of("acme.logistic.cloud", "PALLET", "ST") == 0
