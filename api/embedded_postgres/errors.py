"""What can go wrong with the embedded PostgreSQL. Every message says what the operator can do."""


class EmbeddedPostgresError(Exception):
    """Base of all errors of this package; its text is meant for the operator."""


class HomeInUse(EmbeddedPostgresError):
    """Another live process runs this home folder."""


class HomeBelongsToAnother(EmbeddedPostgresError):
    """The home's database was made by another operating system user, or for another home folder."""


class OtherMajorVersion(EmbeddedPostgresError):
    """The data was written by another major version of PostgreSQL than the one that is installed."""


class NoServerAccount(EmbeddedPostgresError):
    """The operating system user that PostgreSQL has to run as does not exist and cannot be created."""


class NoBinaries(EmbeddedPostgresError):
    """The PostgreSQL programs are not installed for this platform."""


class UnsafeFolder(EmbeddedPostgresError):
    """A folder that has to be private exists already and belongs to, or may be changed by, somebody else."""


class StartFailed(EmbeddedPostgresError):
    """initdb or PostgreSQL ended with an error, or was not ready in time; carries the end of its log."""


class StopFailed(EmbeddedPostgresError):
    """PostgreSQL is still running after every way of stopping it."""
