"""Names of scanners and actions (contract 3.1, 8.1)."""

from domain.errors import Invalid

NAME_LENGTH = 255


def check_name(name: str) -> None:
    """Raises Invalid on `name` for a blank or an overlong one."""
    if not name.strip():
        raise Invalid("name", "blank", "This field may not be blank.")
    if len(name) > NAME_LENGTH:
        raise Invalid("name", "max_length", f"Ensure this field has no more than {NAME_LENGTH} characters.")
