"""The compiled half of the package."""

from os import PathLike
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

__version__: str
COLUMNS: List[str]
"""The ten columns, in the order of the SDKs' files."""

_Path = Union[str, "PathLike[str]"]
_Key = Union[bytes, str, "PathLike[str]", Callable[[Optional[str]], bytes]]
_Columns = Tuple[Optional[str], ...]

class Token:
    """A token: ten columns and extra values, all text, `None` where nothing is said. It never changes.

    `expiry_time` is the end of the access token in milliseconds since 1970, as decimal text. Neither `repr` nor a pickle has
    the secrets, and the memory is wiped with the token; what the attributes give is Python's own text, which is not.
    """

    def __init__(
        self,
        *,
        id: Optional[str] = None,
        user_name: Optional[str] = None,
        client_id: Optional[str] = None,
        client_secret: Optional[str] = None,
        refresh_token: Optional[str] = None,
        access_token: Optional[str] = None,
        grant_token: Optional[str] = None,
        expiry_time: Optional[str] = None,
        redirect_url: Optional[str] = None,
        api_domain: Optional[str] = None,
        extra: Optional[Mapping[str, str]] = None,
    ) -> None: ...
    @property
    def id(self) -> Optional[str]: ...
    @property
    def user_name(self) -> Optional[str]: ...
    @property
    def client_id(self) -> Optional[str]: ...
    @property
    def client_secret(self) -> Optional[str]: ...
    @property
    def refresh_token(self) -> Optional[str]: ...
    @property
    def access_token(self) -> Optional[str]: ...
    @property
    def grant_token(self) -> Optional[str]: ...
    @property
    def expiry_time(self) -> Optional[str]: ...
    @property
    def redirect_url(self) -> Optional[str]: ...
    @property
    def api_domain(self) -> Optional[str]: ...
    @property
    def extra(self) -> Dict[str, str]: ...
    @property
    def created_at(self) -> Optional[float]:
        """When the row was first saved, in seconds since 1970; `None` for a token that is no row."""
    @property
    def updated_at(self) -> Optional[float]:
        """When this version of the row was saved."""
    @property
    def expires_at(self) -> Optional[float]:
        """When the access token ends, in seconds since 1970; `None` if `expiry_time` is no number."""
    @property
    def revision(self) -> Optional[int]:
        """The number of the save that wrote this version of the row."""
    def as_dict(self) -> Dict[str, Any]:
        """What is set, secrets too, as `Token(**columns)` takes it."""
    def replace(self, **changes: Any) -> "Token":
        """The same token with these columns."""

class Rows(Iterator[Token]):
    def __next__(self) -> Token: ...

class Handle:
    def __init__(
        self,
        path: _Path,
        *,
        key: Optional[_Key],
        create: bool,
        read_only: bool,
        exclusive: bool,
        network: bool,
        background: bool,
        lock_timeout: float,
    ) -> None: ...
    def columns_by_id(self, id: str) -> _Columns: ...
    def close(self) -> None: ...

def command(command_line: List[str]) -> int: ...
def read_file_store(path: _Path) -> Tuple[List[Token], List[str]]: ...
def read_sqlite(path: _Path) -> Tuple[List[Token], List[str]]: ...
def verify(path: _Path, *, key: Optional[_Key] = None) -> Dict[str, Any]:
    """Reads the log of a store through that need not be open: `status`, `frames`, `operations`, `damage`. Writes nothing."""

def salvage(path: _Path, to: _Path, *, key: Optional[_Key] = None) -> Dict[str, Any]:
    """Saves what can be read of a damaged store in a new one: how many `tokens`, and whether that `is_whole`."""
