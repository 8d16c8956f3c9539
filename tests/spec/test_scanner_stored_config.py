"""When an edit looks at the stored configuration (contract 3.2): one that today's rules refuse shows it."""

import pytest

from domain.errors import Invalid
from domain.scanner import Scanner, ScannerCreated, ScannerDisabled, ScannerRenamed
from tests.spec.given import STAMP, fact, given
from tests.spec.test_scanner import FIELDS, reconfigured

OLD = fact(ScannerCreated, **{**FIELDS, "scanner_config": {"prompt": "p", "of an older version": 1}}, created_by=17)


@pytest.mark.rule("3.2/patch-checks")
def test_naming_the_type_checks_the_stored_configuration() -> None:
    given(Scanner, OLD).when(lambda scanner: scanner.edit(STAMP, {"scanner_type": "monitor"})).then_refused(
        Invalid, field="scanner_config", code="invalid_input"
    )


@pytest.mark.rule("3.2/patch-unchecked")
def test_an_edit_of_anything_else_leaves_it_alone() -> None:
    given(Scanner, OLD).when(
        lambda scanner: scanner.edit(STAMP, {"name": "Ends", "enabled": False, "sampling_rate": 0.5})
    ).then(fact(ScannerRenamed, name="Ends"), reconfigured(sampling_rate=0.5), fact(ScannerDisabled))


@pytest.mark.rule("3.2/patch-checks")
def test_a_new_configuration_is_checked_against_the_stored_type() -> None:
    given(Scanner, OLD).when(lambda scanner: scanner.edit(STAMP, {"scanner_config": {"prompt": "q"}})).then(
        reconfigured(scanner_config={"prompt": "q"})
    )
    tagged = {"prompt": "q", "tags": ["a"]}
    given(Scanner, OLD).when(lambda scanner: scanner.edit(STAMP, {"scanner_config": tagged})).then_refused(
        Invalid, field="scanner_config", code="invalid_input"
    )
